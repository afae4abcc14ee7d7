"""Replies of the API."""

import logging
import os

from api.version import VERSION

logger = logging.getLogger(__name__)


def reply(payload):
    logger.debug("reply from %s %s", os.name, VERSION)
    return {"statusCode": 200, "body": json.dumps(payload)}
