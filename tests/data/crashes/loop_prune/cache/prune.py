def prune(entries, now):
    removed = 0
    for key in entries:
        if entries[key] < now:
            entries.pop(key)
            removed += 1
    return removed
