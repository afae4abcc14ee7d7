def revenue_by_day(events):
    totals = {}
    for event in events:
        totals[event["day"]] += event["amount"]
    return totals
