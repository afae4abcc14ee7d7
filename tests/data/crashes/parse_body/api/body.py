import json


def handle(event):
    order = json.loads(event["body"])
    return order["id"]
