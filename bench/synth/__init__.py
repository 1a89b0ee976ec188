"""Media drawn here, with known labels: until faces are rendered, simple drawn ones, for demo and tests."""
