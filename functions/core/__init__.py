"""What several steps share, on shelves by what it is about. What serves one step alone lies in that step.

workflow   what travels between the steps: state, artifacts, evidence, proposal, errors
incidents  one distinct error, and the table of them
apps       what is registered: an app, its modes, the revision that it runs
approval   questions to people: who may decide, by which link, what was decided
model      what is asked of language models: the port, limits, prices, budgets
forge      where repositories live: pull requests and git
source     an app's source: archives, which file a frame lies in, which Python
untrusted  text by strangers: secrets masked, nothing hidden, nothing that comes alive
notify     mails and channels
aws        the edge to AWS that handlers share: settings, telemetry, the handlers' wrapper
"""
