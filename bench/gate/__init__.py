"""Gates: a policy held against a finished run, pass, fail or inconclusive.

``hold`` goes through a policy rule by rule, ``ground`` says which numbers a rule is about; ``rules`` and
``gaps`` are what Estimates of the run decide, ``pairs`` what a baseline does, ``speed`` what was measured of
it; ``decidable`` refuses rules that nothing could decide, ``sentences`` say it all in words. How a number
decides is in ``bench.judge.gates``; nothing is estimated here.
"""
