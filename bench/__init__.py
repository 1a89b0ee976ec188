"""affectbench measures emotion recognition models: how well, for whom, and under which conditions.

One sentence holds the package together: ``predict`` turns models and media into tables, ``judge`` turns
tables into estimates, ``report`` turns estimates into pages. They meet only in the vocabulary.

==================  ==============================================================================
vocabulary          ``errors`` ``labels`` ``digest`` ``spec`` ``tables`` ``suite`` ``question`` ``folder``
                    ``shipped`` ``document`` ``policy`` ``prereg`` ``context`` ``truth`` ``act`` ``duties``
                    ``posture`` ``latency`` ``memory``
``predict``         clips, data sets, perturbations, the face front-end, the zoo, the run loop (torch)
``judge``           kernels, atoms, metrics, slices, intervals, the Estimates table (numpy, scipy.special)
``track``           MLflow, the only place that imports it
``report``          the HTML report and its figures
``synth``           clips drawn here, with known labels
``workflow``        the steps of a command, in order; ``sides`` those of a comparison; ``elsewhere`` what
                    ``score`` takes in: predictions made elsewhere
``gate``            a policy held against a finished run: pass, fail or inconclusive
``audit_report``    one system of a run beside the use that is declared for it, sections 0 to 18
``evidence``        a finished run as one signed file, and what such a file proves
``leaderboard``     finished runs side by side, as a site that needs no server
``cli``             parse, call one function, print
==================  ==============================================================================

Imports go down only: ``cli -> workflow -> report, track -> judge / predict, synth -> vocabulary``.
"""

__version__ = "0.1.0"
