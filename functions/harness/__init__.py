"""The harness: all that runs strangers' code, in every lane, as one program of the standard library alone.

    drive (driver.py)             takes a job, gives a report; never runs strangers' code itself
      ├─ experiment (experiment.py)   decides which runs follow from what the earlier ones showed
      └─ server (server.py)       the app's interpreter with pytest imported; forks once per run
           └─ worker (worker.py)  the only process that runs strangers' code

A job is one zip: both trees, the repository's dependencies and what is to be found out. A report is JSON of
raw outcomes, bounded, and worth no more than the code that could write it: whoever judges *replays* the
experiment over the recorded outcomes (`experiment.replay`), so that each conclusion is drawn again where no
code of strangers ever ran.

Works on Python 3.9 to 3.14 and uses only what AWS Lambda grants: no prctl, no namespaces, no seccomp. What
holds the code under test is the lane's business: see `infra/local/wall/` and .github/PROOF.md.
"""
