"""Import names of packages that are commonly zipped next to a Lambda handler or copied into an image (2026).

Used only while an app's own packages are unknown, so that a library below the deployment root is not taken
for the app.
"""

_NAMES = """
aioboto3 aiobotocore aiohttp airflow alembic amqp anthropic anyio asgiref asyncpg attr attrs
aws_lambda_powertools aws_xray_sdk awsglue azure backoff bcrypt billiard boto3 botocore bs4
cachetools cassandra celery certifi cffi chalice charset_normalizer click confluent_kafka
cryptography dagster dask dateutil distributed django dns dotenv duckdb elasticsearch fastapi flask
flask_restful flask_sqlalchemy fsspec gcsfs gevent geventwebsocket github google googleapiclient
grpc gunicorn h11 httpcore httplib2 httpx idna importlib_metadata influxdb_client itsdangerous
jinja2 jmespath jose jsonschema jwt keras kombu langchain langchain_core loguru lxml mangum markdown
markupsafe marshmallow matplotlib mlflow mongoengine msal msgpack multidict mysql nacl neo4j
nest_asyncio numpy oauthlib openai openpyxl opensearchpy OpenSSL orjson packaging pandas paramiko
peewee pika PIL pkg_resources playhouse plotly polars prefect prometheus_client psutil psycopg
psycopg2 psycopg_pool py4j pyarrow pydantic pydantic_core pydantic_settings pymongo pymysql pynamodb
pynput pyparsing pyspark pytz qdrant_client ray redis requests requests_oauthlib rest_framework rich
rsa s3fs s3transfer scipy sendgrid sentry_sdk serverless_wsgi setuptools simplejson six sklearn
slack_sdk sniffio snowflake sqlalchemy sqlmodel starlette streamlit stripe structlog tabulate
tenacity tensorflow toml torch torchvision tornado tqdm transformers trio twilio twisted typer
typing_extensions ujson uritemplate urllib3 uvicorn uvloop watchtower websocket websockets werkzeug
wrapt xmltodict yaml yarl zeep
"""

WELL_KNOWN = frozenset(_NAMES.split())
