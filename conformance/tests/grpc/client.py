"""Calls a Nearfield server through grpcio alone: what it needs to know it asks by reflection."""

import array
import sys

import grpc
from google.protobuf import descriptor_pool, message_factory
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)

channel = grpc.insecure_channel(sys.argv[1])

health = health_pb2_grpc.HealthStub(channel)
for service in ["", "nearfield.v1.Nearfield"]:
    checked = health.Check(health_pb2.HealthCheckRequest(service=service))
    assert checked.status == health_pb2.HealthCheckResponse.SERVING, service

database = ProtoReflectionDescriptorDatabase(channel)
assert "nearfield.v1.Nearfield" in database.get_services()
pool = descriptor_pool.DescriptorPool(database)
service = pool.FindServiceByName("nearfield.v1.Nearfield")


def message(name, **fields):
    descriptor = pool.FindMessageTypeByName(f"nearfield.v1.{name}")
    return message_factory.GetMessageClass(descriptor)(**fields)


def call(method, **fields):
    found = service.FindMethodByName(method)
    answer = message_factory.GetMessageClass(found.output_type)
    send = channel.unary_unary(
        f"/nearfield.v1.Nearfield/{method}",
        request_serializer=lambda request: request.SerializeToString(),
        response_deserializer=answer.FromString,
    )
    return send.with_call(message(f"{method}Request", **fields), timeout=10)


def floats(*values):
    return array.array("f", values).tobytes()


def numbers(*ids):
    return message("Ids", numbers=message("Ids.Numbers", values=ids))


call("CreateCollection", collection="docs", dimension=2, metric="METRIC_DOT")
rows = [b'{"year": 1959}', b"", b'{"year": 1971}']
ends = [sum(map(len, rows[: row + 1])) for row in range(len(rows))]
answer, around = call(
    "Upsert",
    collection="docs",
    ids=numbers(1, 2, 3),
    vectors=floats(1, 0, 0, 1, 2, 2),
    metadata=message("MetadataColumn", text=b"".join(rows), ends=ends),
)
assert answer.upserted == 3, answer
initial = dict(around.initial_metadata())
assert initial["nearfield-wire"] == "1", initial
assert "engine;dur=" in initial["server-timing"], initial

answer, _ = call("Search", collection="docs", vectors=floats(1, 0), limit=2, with_metadata=True)
assert list(answer.counts) == [2], answer
assert list(answer.points.ids.numbers.values) == [3, 1], answer
assert list(answer.scores) == [2.0, 1.0], answer
assert answer.points.metadata.text == rows[2] + rows[0], answer

filtered = message("Filter", text="year < 1960")
answer, _ = call("Search", collection="docs", vectors=floats(1, 0), filter=filtered)
assert list(answer.points.ids.numbers.values) == [1], answer

try:
    call("Upsert", collection="docs", ids=numbers(4), vectors=floats(1, float("nan")))
    raise SystemExit("a NaN was taken")
except grpc.RpcError as refused:
    assert refused.code() == grpc.StatusCode.INVALID_ARGUMENT, refused
    details = dict(refused.trailing_metadata())["nearfield-error-bin"]
    error = message("Error")
    error.ParseFromString(details)
    assert (error.kind, error.row, error.field) == ("invalid_argument", 0, "vectors"), error

batches = [
    message("UpsertRequest", collection="docs", ids=numbers(10 + n), vectors=floats(n, 1))
    for n in range(20)
]
ingest = channel.stream_stream(
    "/nearfield.v1.Nearfield/Ingest",
    request_serializer=lambda request: request.SerializeToString(),
    response_deserializer=message_factory.GetMessageClass(
        service.FindMethodByName("Ingest").output_type
    ).FromString,
)
acknowledged = list(ingest(iter(batches), timeout=10))
assert [answer.upserted.upserted for answer in acknowledged] == [1] * 20, acknowledged

answer, _ = call("Count", collection="docs")
assert answer.count == 23, answer
print("all answered")
