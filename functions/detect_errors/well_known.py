"""Import names of packages that are commonly zipped next to a Lambda handler or copied into an image (2026).

Used only while an app's own packages are unknown, so that a library below the deployment root is not taken
for the app.
"""

_NAMES = """
aioboto3 aiobotocore aiohttp alembic amqp anyio asgiref asyncpg attr attrs aws_lambda_powertools
aws_xray_sdk backoff billiard boto3 botocore bs4 cachetools celery certifi chalice
charset_normalizer click confluent_kafka cryptography dateutil django dns dotenv elasticsearch
fastapi flask flask_restful flask_sqlalchemy gevent geventwebsocket google googleapiclient grpc
gunicorn h11 httpcore httplib2 httpx idna importlib_metadata itsdangerous jinja2 jmespath jose
jsonschema jwt kombu lxml mangum markdown markupsafe marshmallow mongoengine msgpack multidict mysql
numpy oauthlib openai openpyxl opensearchpy OpenSSL orjson packaging pandas paramiko peewee pika PIL
pkg_resources playhouse prometheus_client psycopg psycopg2 pydantic pydantic_core pydantic_settings
pymongo pymysql pynamodb pyparsing pytz redis requests requests_oauthlib rest_framework rsa
s3transfer scipy sentry_sdk serverless_wsgi setuptools simplejson six sklearn sniffio sqlalchemy
sqlmodel starlette stripe structlog tenacity toml tornado tqdm trio twisted typing_extensions
uritemplate urllib3 uvicorn uvloop watchtower websocket websockets werkzeug wrapt yaml yarl zeep
"""

WELL_KNOWN = frozenset(_NAMES.split())
