"""Speed, memory and start-up, measured against named peers; runnable by anyone."""
