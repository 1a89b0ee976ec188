"""Leaderboards: finished runs side by side, as a site that needs no server.

Runs are read as they were judged; across them only ranks, pairs of models and baselines are made here, by the
mechanisms that a single run has. Models judged on other targets or by other settings never share a table, and
there is no score that adds accuracy, fairness, robustness and cost up.
"""
