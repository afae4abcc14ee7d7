"""The Lambda entry point: one route per operation."""

import asyncio
import json

from orders import customers, imports, labels, reports, settings, shipping, stock

ROUTES = {
    "quote": lambda body: shipping.quote(body),
    "label": lambda body: labels.shipping_label(body["order"]),
    "report": lambda body: reports.daily_report(body["orders"]),
    "receipt": lambda body: customers.receipt_address(body["customer_id"]),
    "letter": lambda body: customers.greeting(body["customer_id"]),
    "fill_rate": lambda body: asyncio.run(stock.fill_rate(body["orders"])),
    "import": lambda body: imports.read_line(body["line"]),
    "price": lambda body: f"{body['amount']} {settings.currency()}",
}


def handler(event, context):
    """Answer `{"operation": NAME, "body": {...}}` with the operation's result."""
    operation = ROUTES.get(event.get("operation"))
    if operation is None:
        return {"statusCode": 404, "body": json.dumps({"error": "no such operation"})}
    return {"statusCode": 200, "body": json.dumps(operation(event["body"]))}
