"""Where repositories live: pull requests by its API (`port`), and by git (`functions.core.forge.git_remote`).

    port      what every forge can do, in the workflow's own types and errors
    github    GitHub and GitHub Enterprise Server, by PyGithub
    gitlab    GitLab, hosted and self-managed, by python-gitlab
    installation   tokens of a GitHub App, minted for each run
    connect   the adapter that an app's entry chooses: one row for each forge

Another forge is one module, one row in `connect`, and its fixture in the contract test.
"""
