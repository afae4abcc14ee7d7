import logging
from datetime import datetime


def age_days(created_at):
    created = datetime.fromisoformat(created_at)
    now = datetime.utcnow()
    logging.debug("now %s", now)
    return (now - created).days
