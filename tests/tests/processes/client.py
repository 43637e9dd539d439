"""A client of Squall's public API, made of the protos alone: every unary call an operator needs, a stream up, a stream down, an error."""

import hashlib
import json
import os
import sys
import time
import uuid

import grpc
from google.protobuf import any_pb2, descriptor_pb2, descriptor_pool, message_factory
from squall.v1 import (
    blobs_pb2,
    blobs_pb2_grpc,
    cluster_pb2,
    cluster_pb2_grpc,
    common_pb2,
    topologies_pb2,
    topologies_pb2_grpc,
)


def mutation(expected=None):
    """A mutation with a UUID of version 7."""
    number = int(time.time() * 1000) << 80 | int.from_bytes(os.urandom(10), "big")
    number = number & ~(0xF << 76) | 0x7 << 76
    number = number & ~(0b11 << 62) | 0b10 << 62
    return common_pb2.Mutation(request_id=str(uuid.UUID(int=number)), expected_revision=expected)


def description(name):
    topology = json.loads(os.environ["DESCRIPTION"])
    topology["name"] = name
    return json.dumps(topology)


def status_class():
    """google.rpc.Status, which carries an error's details, as gRPC defines it."""
    file = descriptor_pb2.FileDescriptorProto(name="google/rpc/status.proto", package="google.rpc", syntax="proto3")
    file.dependency.append(any_pb2.DESCRIPTOR.name)
    message = file.message_type.add(name="Status")
    field = descriptor_pb2.FieldDescriptorProto
    message.field.add(name="code", number=1, type=field.TYPE_INT32, label=field.LABEL_OPTIONAL)
    message.field.add(name="message", number=2, type=field.TYPE_STRING, label=field.LABEL_OPTIONAL)
    details = message.field.add(name="details", number=3, type=field.TYPE_MESSAGE, label=field.LABEL_REPEATED)
    details.type_name = ".google.protobuf.Any"
    pool = descriptor_pool.Default()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("google.rpc.Status"))


STATUS = status_class()


def detail_of(error):
    """What a master says of an error."""
    status = STATUS.FromString(dict(error.trailing_metadata())["grpc-status-details-bin"])
    (packed,) = status.details
    detail = common_pb2.ErrorDetail()
    assert packed.Unpack(detail), packed
    return detail


def refused(call, code):
    """Makes a call that must be refused with this gRPC code, and returns what the error says."""
    try:
        call()
    except grpc.RpcError as error:
        assert error.code() == code, error
        return detail_of(error)
    raise AssertionError("it was not refused")


def taken(call):
    """Makes a call that streams, again if its details say so: a stream is brought to the leader once, and that one may be lost."""
    while True:
        try:
            return call()
        except grpc.RpcError as error:
            if detail_of(error).retry != common_pb2.RETRY_LATER:
                raise


def main(addresses):
    channels = [grpc.insecure_channel(address) for address in addresses]
    topologies = [topologies_pb2_grpc.TopologiesStub(channel) for channel in channels]
    cluster = cluster_pb2_grpc.ClusterStub(channels[0])
    blobs = blobs_pb2_grpc.BlobsStub(channels[1])
    limit = {"timeout": 20}

    status = cluster.Status(cluster_pb2.StatusRequest(), **limit)
    assert status.masters == 3 and not status.stale, status

    package = os.urandom(3 << 20)
    digest = hashlib.sha256(package).hexdigest()

    def parts(header):
        yield topologies_pb2.SubmitRequest(header=header)
        for at in range(0, len(package), 1 << 20):
            yield topologies_pb2.SubmitRequest(chunk=package[at : at + (1 << 20)])

    header = topologies_pb2.SubmitHeader(
        mutation=mutation(), description=description("words"), package=digest, package_size=len(package)
    )
    submitted = taken(lambda: topologies[0].Submit(parts(header), **limit))
    assert submitted.name == "words" and submitted.version == 1, submitted

    fetched = b"".join(chunk.data for chunk in blobs.Get(blobs_pb2.GetBlobRequest(id=digest), **limit))
    assert fetched == package

    again = mutation()
    for topology in topologies:
        applied = topology.Deactivate(topologies_pb2.DeactivateRequest(mutation=again, name="words"), **limit)
    assert applied.repeated, applied
    seen = topologies[2].Get(topologies_pb2.GetTopologyRequest(name="words"), **limit)
    assert seen.summary.state == topologies_pb2.TOPOLOGY_STATE_INACTIVE, seen
    assert [executor.reason.code for executor in seen.executors], seen

    stale = topologies_pb2.ActivateRequest(mutation=mutation(1), name="words")
    detail = refused(lambda: topologies[1].Activate(stale, **limit), grpc.StatusCode.FAILED_PRECONDITION)
    assert detail.code == "SQ5004" and detail.cause and detail.next_step, detail
    assert detail.retry == common_pb2.RETRY_NO, detail
    nobody = topologies_pb2.GetTopologyRequest(name="word")
    detail = refused(lambda: topologies[0].Get(nobody, **limit), grpc.StatusCode.NOT_FOUND)
    assert detail.code == "SQ5001" and detail.cause and detail.next_step, detail

    activated = topologies[2].Activate(topologies_pb2.ActivateRequest(mutation=mutation(), name="words"), **limit)
    assert activated.revision > applied.revision and not activated.repeated, activated
    seen = topologies[0].Get(topologies_pb2.GetTopologyRequest(name="words"), **limit)
    assert seen.summary.state == topologies_pb2.TOPOLOGY_STATE_ACTIVE, seen
    assert json.loads(seen.description)["name"] == "words" and seen.package == digest, seen

    plan = topologies[0].Plan(topologies_pb2.PlanRequest(kill="words"), **limit)
    assert plan.revision > 0, plan
    listed = topologies[1].List(topologies_pb2.ListTopologiesRequest(), **limit)
    assert [it.name for it in listed.topologies] == ["words"], listed

    events = cluster.Watch(cluster_pb2.WatchRequest(from_revision=1, subjects=["topology words"]), **limit)
    kinds = [next(events).kind for _ in range(4)]
    assert kinds == ["topology-submitted", "topology-assigned", "topology-deactivated", "topology-activated"], kinds
    from_now = cluster.Watch(cluster_pb2.WatchRequest(from_revision=activated.revision + 1), **limit)

    killed = topologies[2].Kill(topologies_pb2.KillRequest(mutation=mutation(), name="words", wait_ms=0), **limit)
    assert killed.revision > activated.revision, killed
    for event in (next(events), next(from_now)):
        assert event.kind == "topology-killed" and event.subject == "topology words", event
        assert event.revision == killed.revision and event.request_id and event.text, event
    events.cancel()
    from_now.cancel()
    print("all of it works")


main(sys.argv[1:])
