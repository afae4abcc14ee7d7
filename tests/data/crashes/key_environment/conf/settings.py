import os


def table():
    return os.environ["ORDERS_TABLE_NAME_FOR_TEST"]
