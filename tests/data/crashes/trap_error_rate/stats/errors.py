def error_rate(requests, errors):
    failed = 0
    for error in errors:
        failed += 1
    return failed / len(requests)
