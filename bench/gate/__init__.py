"""Gates: a policy held against a finished run, pass, fail or inconclusive.

``hold`` goes through a policy rule by rule; ``rules`` are those that Estimates of the run decide, ``pairs``
those against a baseline. How a number decides is in ``bench.judge.gates``; nothing is estimated here.
"""
