"""Gates 6 and 7 in a CodeBuild project of the app's own, for tests that need more than a Lambda.

bundle.py    what the build gets: both trees, what to run, and the two scripts
  └─ scripts/drive.py       in the build: runs each task in a fresh tree, writes what happened
       └─ scripts/launch.py    one run of pytest, with the sandbox's reporting plugin
results.py   what came back, read as a stranger's data
step.py      which of both ValidatePatch is at: before the build, or after it
prove.py     the same judgement as of the sandbox's runs, in ValidatePatch: never where the code ran
"""
