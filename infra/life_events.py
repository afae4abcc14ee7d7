"""Events of an incident's life on a bus of the deployment's own, for whoever wants to hear of them.

They are derived from the table's stream, so that no step needs to know of them or may send any. Values go
into a pipe's template without escaping, so only those travel that no stranger writes: a receiver that wants
more asks for it by the incident's id.
"""

from __future__ import annotations

import json
from typing import Any

from aws_cdk import Stack
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_events as events
from aws_cdk import aws_eventschemas as schemas
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_pipes as pipes
from constructs import Construct

from functions.core.incidents.incident import ErrorClass, Status
from infra.names import Names
from infra.workflow import only_here, stream_source, stream_statements

SOURCE = "self-heal"
DETAIL_TYPE = "Incident Status Change"
# Attributes of an incident, with their types in DynamoDB. All are there from its first write on.
_DETAIL = {
    "incident_id": "S",
    "app": "S",
    "fingerprint": "S",
    "error_class": "S",
    "status": "S",
    "generation": "N",
    "updated_at": "S",
}


def status_changed_patterns() -> list[dict[str, Any]]:
    """Event patterns, any of which matches a stream record of an incident that is new or has another status.

    A pipe has at most five, of 4,096 characters each; `$or` within them is supported:
    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html
    """
    changed = [
        {
            "NewImage": {"status": {"S": [str(status)]}},
            "OldImage": {"status": {"S": [{"anything-but": [str(status)]}]}},
        }
        for status in Status
    ]
    made = {
        "NewImage": {"status": {"S": [{"exists": True}]}},
        "OldImage": {"status": {"S": [{"exists": False}]}},
    }
    return [{"dynamodb": {"$or": changed}}, {"dynamodb": made}]


def input_template() -> str:
    """An event's `detail`: a number is told as text, as DynamoDB's stream has it."""
    return json.dumps({name: f"<$.dynamodb.NewImage.{name}.{kind}>" for name, kind in _DETAIL.items()})


def schema() -> dict[str, Any]:
    """What an event is, for the schema registry: OpenAPI 3, as EventBridge's own schemas are written.

    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-schema.html
    """
    texts: dict[str, Any] = {name: {"type": "string"} for name in _DETAIL}
    texts["status"]["enum"] = [str(status) for status in Status]
    texts["error_class"]["enum"] = [str(error_class) for error_class in ErrorClass]
    texts["generation"] |= {"pattern": "^[0-9]+$", "description": "1, and one more each time it starts over"}
    texts["updated_at"]["format"] = "date-time"
    envelope = {
        **{name: {"type": "string"} for name in ("version", "id", "account", "region")},
        "time": {"type": "string", "format": "date-time"},
        "source": {"type": "string", "enum": [SOURCE]},
        "detail-type": {"type": "string", "enum": [DETAIL_TYPE]},
        "resources": {"type": "array", "items": {"type": "string"}},
        "detail": {"$ref": "#/components/schemas/IncidentStatusChange"},
    }
    return {
        "openapi": "3.0.0",
        "info": {"title": "IncidentStatusChange", "version": "1.0.0"},
        "paths": {},
        "components": {
            "schemas": {
                "AWSEvent": {
                    "type": "object",
                    "required": list(envelope),
                    "x-amazon-events-source": SOURCE,
                    "x-amazon-events-detail-type": DETAIL_TYPE,
                    "properties": envelope,
                },
                "IncidentStatusChange": {
                    "type": "object",
                    "required": list(_DETAIL),
                    "properties": texts,
                },
            }
        },
    }


class LifeEvents(Construct):
    """The bus, the pipe that fills it, and the schema of what is on it.

    The pipe is the stream's second reader: a stream has room for two. What cannot be told within an hour is
    passed over: the table has it.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        incidents: dynamodb.Table,
        key: kms.Key,
        names: Names,
    ) -> None:
        super().__init__(scope, construct_id)
        stack = Stack.of(self)
        self.bus = events.EventBus(
            self, "Bus", event_bus_name=names.bus, description="What becomes of incidents"
        )
        role = iam.Role(self, "Role", assumed_by=only_here(stack, "pipes"))
        for statement in stream_statements(stack, incidents, key):
            role.add_to_policy(statement)
        role.add_to_policy(
            iam.PolicyStatement(actions=["events:PutEvents"], resources=[self.bus.event_bus_arn])
        )
        pipe = pipes.CfnPipe(
            self,
            "Pipe",
            name=names.life_events,
            description="Tells of every incident that is new or has another status",
            role_arn=role.role_arn,
            source=str(incidents.table_stream_arn),
            source_parameters=stream_source(status_changed_patterns()),
            target=self.bus.event_bus_arn,
            target_parameters=pipes.CfnPipe.PipeTargetParametersProperty(
                input_template=input_template(),
                event_bridge_event_bus_parameters=pipes.CfnPipe.PipeTargetEventBridgeEventBusParametersProperty(
                    source=SOURCE, detail_type=DETAIL_TYPE
                ),
            ),
        )
        pipe.node.add_dependency(role)
        registry = schemas.CfnRegistry(
            self, "Schemas", registry_name=names.bus, description="What is on the bus of this name"
        )
        schemas.CfnSchema(
            self,
            "Schema",
            registry_name=registry.attr_registry_name,
            schema_name=f"{SOURCE}@{DETAIL_TYPE.replace(' ', '')}",
            type="OpenApi3",
            content=json.dumps(schema()),
        )
