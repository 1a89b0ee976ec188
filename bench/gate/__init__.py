"""Gates: a policy held against a finished run, pass, fail or inconclusive.

``hold`` goes through a policy rule by rule, ``ground`` says which numbers a rule is about; ``rules`` and
``gaps`` are what Estimates of the run decide, ``pairs`` what a baseline does; ``sentences`` say it. How a
number decides is in ``bench.judge.gates``; nothing is estimated here.
"""
