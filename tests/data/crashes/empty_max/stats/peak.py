def peak(loads: list[int]) -> int | None:
    """The highest load, None when nothing was measured."""
    return max(loads)
