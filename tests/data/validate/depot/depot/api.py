"""What other services call: API Gateway events in, answers out."""

import json

from depot import feed, stock


def handle(event):
    """Reserve an item; 400 when the request cannot be read."""
    body = json.loads(event["body"])
    if "sku" not in body:
        return {"statusCode": 400, "body": "sku is missing"}
    return {"statusCode": 200, "body": stock.bin_of(body["sku"])}


def page(event):
    """The page that was asked for, 1 if none was."""
    return int(event["queryStringParameters"].get("page", 1))


def notice(message):
    """What is shown on the screen."""
    return f"{feed.priority(message)}: {message['text'].strip()}"
