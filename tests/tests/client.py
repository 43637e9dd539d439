"""A client of Squall's public API, made of the protos alone: every unary call an operator needs, a stream up, a stream down, an error."""

import hashlib
import json
import os
import sys
import time
import uuid

import grpc
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

    def parts():
        header = topologies_pb2.SubmitHeader(
            mutation=mutation(), description=description("words"), package=digest, package_size=len(package)
        )
        yield topologies_pb2.SubmitRequest(header=header)
        for at in range(0, len(package), 1 << 20):
            yield topologies_pb2.SubmitRequest(chunk=package[at : at + (1 << 20)])

    submitted = topologies[0].Submit(parts(), **limit)
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

    try:
        topologies[1].Activate(topologies_pb2.ActivateRequest(mutation=mutation(1), name="words"), **limit)
        raise AssertionError("a stale revision was accepted")
    except grpc.RpcError as error:
        assert error.code() == grpc.StatusCode.FAILED_PRECONDITION, error
        details = dict(error.trailing_metadata())["grpc-status-details-bin"]
        assert b"SQ5004" in details and b"squall.v1.ErrorDetail" in details, details

    plan = topologies[0].Plan(topologies_pb2.PlanRequest(kill="words"), **limit)
    assert plan.revision > 0, plan
    listed = topologies[1].List(topologies_pb2.ListTopologiesRequest(), **limit)
    assert [it.name for it in listed.topologies] == ["words"], listed

    events = cluster.Watch(cluster_pb2.WatchRequest(from_revision=1, subjects=["topology words"]), **limit)
    first = next(events)
    assert first.subject == "topology words" and first.request_id, first
    events.cancel()

    killed = topologies[2].Kill(topologies_pb2.KillRequest(mutation=mutation(), name="words", wait_ms=0), **limit)
    assert killed.revision > applied.revision, killed
    print("all of it works")


main(sys.argv[1:])
