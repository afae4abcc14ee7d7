def mean_latency(calls):
    total = 0
    count = 0
    for call in calls:
        if call["ok"]:
            total += call["ms"]
            count += 1
    return total / count
