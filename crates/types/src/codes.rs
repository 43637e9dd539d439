//! The error codes of the topology model, by name. Each has a page in `docs/errors/`.

use crate::Code;

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $code:expr;)*) => {
        $($(#[$doc])* pub const $name: Code = $code;)*

        pub(crate) const ALL: &[Code] = &[$($name),*];
    };
}

codes! {
    /// A name is empty, too long, or has a character that names can't have.
    ILLEGAL_NAME = Code::new(1001);
    /// A name starts with `__`.
    RESERVED_NAME = Code::new(1002);
    /// Two components have the same id.
    DUPLICATE_COMPONENT = Code::new(1003);
    /// A component declares a stream twice.
    DUPLICATE_STREAM = Code::new(1004);
    /// A stream has a field twice.
    DUPLICATE_FIELD = Code::new(1005);
    /// The topology is empty.
    NO_COMPONENTS = Code::new(1006);
    /// Nothing makes tuples.
    NO_SPOUT = Code::new(1007);
    /// A spout takes tuples.
    SPOUT_WITH_INPUTS = Code::new(1008);
    /// A bolt takes no tuples.
    BOLT_WITHOUT_INPUTS = Code::new(1009);
    /// An input names a component that isn't there.
    UNKNOWN_COMPONENT = Code::new(1010);
    /// An input names a stream that its component doesn't declare.
    UNKNOWN_STREAM = Code::new(1011);
    /// A grouping names a field that its stream doesn't have.
    UNKNOWN_FIELD = Code::new(1012);
    /// No spout's tuples can get to a bolt.
    UNREACHABLE = Code::new(1013);
    /// A component has no executors.
    ZERO_PARALLELISM = Code::new(1014);
    /// A component has no tasks.
    ZERO_TASKS = Code::new(1015);
    /// A component has executors that would have no task to run.
    IDLE_EXECUTORS = Code::new(1016);
    /// The topology has more tasks than there are task ids.
    TOO_MANY_TASKS = Code::new(1017);
    /// A keyed grouping has no key.
    NO_KEY_FIELDS = Code::new(1018);
    /// A keyed grouping names a field twice.
    REPEATED_KEY_FIELD = Code::new(1019);
    /// Direct grouping on a stream whose rows name no receiver.
    STREAM_NOT_DIRECT = Code::new(1020);
    /// Another grouping than direct on a direct stream.
    STREAM_DIRECT = Code::new(1021);
    /// A bolt takes the same stream twice in the same way.
    DUPLICATE_INPUT = Code::new(1022);
    /// A custom grouping has no name.
    UNNAMED_GROUPING = Code::new(1023);
    /// An async bolt may have no tuple in flight.
    ZERO_IN_FLIGHT = Code::new(1024);
    /// A spout is declared async.
    ASYNC_SPOUT = Code::new(1025);
    /// A spout asks for ticks.
    TICK_ON_SPOUT = Code::new(1026);
    /// The number of key groups is out of range.
    KEY_GROUPS_OUT_OF_RANGE = Code::new(1027);
    /// A keyed component has more tasks than there are key groups.
    TOO_FEW_KEY_GROUPS = Code::new(1028);
    /// The message timeout is zero.
    ZERO_MESSAGE_TIMEOUT = Code::new(1029);
    /// Spouts may have no root pending.
    ZERO_MAX_SPOUT_PENDING = Code::new(1030);
    /// A tick interval is zero.
    ZERO_TICK = Code::new(1031);
    /// Executors are said to need no memory, or no CPU.
    ZERO_RESOURCE = Code::new(1032);
    /// A tag is empty.
    EMPTY_TAG = Code::new(1033);
    /// A setting from the command line is for a component that isn't there.
    NO_SUCH_COMPONENT = Code::new(1041);
    /// Keyed state in a component whose inputs aren't keyed alike.
    NOT_KEYED_ALIKE = Code::new(1101);
    /// Bytes from another slot are no frame.
    FRAME_MALFORMED = Code::new(2501);
    /// A frame from another slot is of a newer release.
    FRAME_NEWER = Code::new(2502);
    /// A tuple can't be sent to another slot.
    TUPLE_UNSENDABLE = Code::new(2503);
    /// A master is a member already.
    ALREADY_MEMBER = Code::new(4001);
    /// An earlier change of the members is under way.
    CHANGE_IN_PROGRESS = Code::new(4002);
    /// A command is larger than the log takes.
    COMMAND_TOO_LARGE = Code::new(4003);
    /// A raft id was a member's before.
    ID_USED_BEFORE = Code::new(4004);
    /// The leader can't be removed while it leads.
    LEADER_CANT_LEAVE = Code::new(4005);
    /// Too much is under way in the log.
    LOG_OVERLOADED = Code::new(4006);
    /// A master's log has stopped.
    LOG_STOPPED = Code::new(4007);
    /// Only a learner can be promoted.
    NOT_A_LEARNER = Code::new(4008);
    /// A learner's log is too far behind.
    NOT_CAUGHT_UP = Code::new(4009);
    /// A master was asked what only the leader can do.
    NOT_LEADER = Code::new(4010);
    /// No leader has confirmed a read in time.
    NO_LEADER = Code::new(4011);
    /// There is no voter to hand leadership to.
    NO_TRANSFER_TARGET = Code::new(4012);
    /// Leadership was lost while a command was under way.
    OUTCOME_UNKNOWN = Code::new(4013);
    /// Raft met a state that can't be.
    RAFT_DEFECT = Code::new(4014);
    /// The other master didn't take over in time.
    TRANSFER_TIMED_OUT = Code::new(4015);
    /// There is no such master.
    UNKNOWN_MEMBER = Code::new(4016);
    /// Too few of the voters that would be left are alive.
    WOULD_LOSE_QUORUM = Code::new(4017);
    /// What is on a master's disk is damaged.
    STORE_DAMAGED = Code::new(4021);
    /// A master's disk holds another master's data.
    STORE_OF_ANOTHER_MASTER = Code::new(4023);
    /// A master's disk was written by a newer release.
    STORE_NEWER = Code::new(4024);
    /// A master's disk is full.
    STORE_FULL = Code::new(4025);
    /// A master's disk can't be written.
    STORE_READ_ONLY = Code::new(4026);
    /// Another process uses a master's data.
    STORE_IN_USE = Code::new(4027);
    /// A master's disk fails.
    STORE_FAILED = Code::new(4028);
    /// There is no such topology.
    UNKNOWN_TOPOLOGY = Code::new(5001);
    /// There is no such worker.
    UNKNOWN_WORKER = Code::new(5002);
    /// A request is older than requests are remembered.
    REQUEST_TOO_OLD = Code::new(5003);
    /// What was to be changed is not as the caller has seen it.
    NOT_AS_EXPECTED = Code::new(5004);
    /// A request was made further in the future than requests are remembered.
    REQUEST_FROM_THE_FUTURE = Code::new(5005);
    /// A topology is in a phase of its life where what was asked for can't be done.
    NOT_IN_THIS_PHASE = Code::new(5006);
    /// A topology has no such version to go back to.
    UNKNOWN_VERSION = Code::new(5007);
    /// A topology's description can't be read.
    UNREADABLE_TOPOLOGY = Code::new(5008);
    /// A topology that was submitted is not valid.
    INVALID_TOPOLOGY = Code::new(5009);
    /// A worker can't be forgotten while executors are placed on it.
    WORKER_IN_USE = Code::new(5010);
    /// A worker's daemon is one of the past.
    STALE_WORKER = Code::new(5011);
    /// A topology's name is taken.
    NAME_TAKEN = Code::new(5012);
    /// A new version of a topology has another number of key groups.
    KEY_GROUPS_CHANGED = Code::new(5013);
    /// The cluster has no such package.
    UNKNOWN_BLOB = Code::new(5014);
    /// An assignment was derived from one that is not the current.
    STALE_ASSIGNMENT = Code::new(5015);
    /// An assignment does not fit what it assigns.
    ASSIGNMENT_MISFIT = Code::new(5016);
    /// A killed topology's wait is not over.
    WAIT_NOT_OVER = Code::new(5017);
    /// A package can't be forgotten yet.
    BLOB_IN_USE = Code::new(5018);
    /// A command's place in the log is not after the last.
    NOT_NEWER = Code::new(5019);
    /// Events from that revision on are not all kept any more.
    EVENTS_COMPACTED = Code::new(5020);
    /// There is no such token.
    UNKNOWN_TOKEN = Code::new(5021);
    /// There is a token with this id or secret already.
    TOKEN_TAKEN = Code::new(5022);
    /// There is no such master.
    UNKNOWN_MASTER = Code::new(5023);
    /// The cluster can't go to that feature level.
    LEVEL_OUT_OF_REACH = Code::new(5024);
    /// There is too much of something.
    TOO_MUCH = Code::new(5025);
    /// A command or a snapshot was written by a newer release.
    WRITTEN_BY_NEWER = Code::new(5026);
    /// A command or a snapshot can't be read.
    UNREADABLE_RECORD = Code::new(5027);
    /// A configuration file can't be read.
    CONFIG_UNREADABLE = Code::new(6001);
    /// A configuration file is no TOML.
    CONFIG_SYNTAX = Code::new(6002);
    /// A setting isn't known.
    CONFIG_UNKNOWN = Code::new(6003);
    /// A setting can't have this value.
    CONFIG_MALFORMED = Code::new(6004);
    /// Settings don't go together.
    CONFIG_BROKEN = Code::new(6005);
    /// A daemon would be open to other machines, unprotected.
    OFF_LOOPBACK = Code::new(6006);
    /// Nothing says where data goes.
    CONFIG_HOMELESS = Code::new(6007);
    /// A certificate's file can't be read.
    CERT_UNREADABLE = Code::new(6101);
    /// A certificate's file has no certificate, or no key, that can be used.
    CERT_MALFORMED = Code::new(6102);
    /// A key belongs to another certificate.
    CERT_KEY_MISMATCH = Code::new(6103);
    /// A certificate's time is over, or hasn't begun.
    CERT_EXPIRED = Code::new(6104);
    /// A certificate was made for another kind of peer.
    CERT_WRONG_KIND = Code::new(6105);
    /// A certificate was signed by an authority that isn't the cluster's.
    CERT_UNKNOWN_CA = Code::new(6106);
    /// Plain text came to a port that speaks TLS.
    PLAIN_ON_TLS = Code::new(6107);
    /// TLS came to a port that speaks plain text.
    TLS_ON_PLAIN = Code::new(6108);
    /// A certificate is for another host than the one that was called.
    CERT_WRONG_HOST = Code::new(6109);
    /// Two ends couldn't agree on TLS.
    TLS_FAILED = Code::new(6110);
    /// A certificate can't be made, or can't be written.
    CERT_NOT_MADE = Code::new(6111);
    /// A caller said nothing of who it is.
    NO_CREDENTIALS = Code::new(6201);
    /// A token isn't known, or its time is over.
    TOKEN_REFUSED = Code::new(6202);
    /// A caller's role may not do this.
    ROLE_TOO_WEAK = Code::new(6203);
    /// A certificate doesn't say whose it is.
    CERT_NAMELESS = Code::new(6204);
    /// There is no room on disk for a package.
    BLOB_NO_ROOM = Code::new(6301);
    /// A package's bytes are not those that its name is the hash of.
    BLOB_MISMATCH = Code::new(6302);
    /// A package on disk is damaged.
    BLOB_DAMAGED = Code::new(6303);
    /// An upload doesn't go on where it stopped.
    BLOB_OFFSET = Code::new(6304);
    /// The disk refuses to keep a package, or to give it back.
    BLOB_DISK = Code::new(6305);
    /// A master doesn't have a package.
    BLOB_MISSING = Code::new(6306);
    /// A package is larger than is taken.
    BLOB_TOO_LARGE = Code::new(6307);
    /// What serves monitoring can't listen.
    HTTP_NOT_SERVED = Code::new(6401);
    /// A field of a request can't be read.
    BAD_REQUEST = Code::new(6503);
    /// Too many requests are under way on a master.
    TOO_MANY_REQUESTS = Code::new(6504);
    /// A master has no cluster yet.
    NO_CLUSTER = Code::new(6505);
    /// A call went from master to master and came to no leader.
    FORWARDED_IN_A_CIRCLE = Code::new(6506);
    /// No leader took a call within its deadline.
    NO_LEADER_IN_TIME = Code::new(6507);
    /// A plan breaks a rule that every plan has to keep, and was not carried out.
    PLAN_BREAKS_RULES = Code::new(6508);
    /// A package isn't on enough disks.
    BLOB_ON_TOO_FEW_DISKS = Code::new(6510);
    /// A worker said something out of turn.
    LINK_OUT_OF_TURN = Code::new(6511);
    /// A master can't be reached.
    MASTER_UNREACHABLE = Code::new(6512);
    /// A master that is to come in belongs to a cluster already.
    MASTER_NOT_EMPTY = Code::new(6513);
    /// There is no master of that name.
    NO_SUCH_MASTER = Code::new(6514);
    /// A master can't listen where it is to.
    CANT_LISTEN = Code::new(6515);
    /// A part of a master ended by itself.
    PART_ENDED = Code::new(6516);
    /// A master is silent, or behind.
    MASTER_AMBER = Code::new(6517);
    /// A worker is silent, cut off, or dead.
    WORKER_AMBER = Code::new(6518);
    /// An executor has no place.
    UNPLACED = Code::new(6519);
    /// Fewer masters have a package than should.
    BLOB_COPIES_MISSING = Code::new(6520);
    /// The masters have no quorum.
    NO_QUORUM = Code::new(6521);
    /// A data directory that a backup was to be restored to has a cluster in it.
    DATA_DIR_NOT_EMPTY = Code::new(6522);
    /// A file is no backup.
    NOT_A_BACKUP = Code::new(6523);
    /// A data directory has nothing that a cluster could go on from.
    NOTHING_TO_RECOVER = Code::new(6524);
    /// A cluster that was to begin a new life has a leader.
    CLUSTER_LIVES = Code::new(6525);
    /// A master that was named belongs to another cluster.
    OTHER_CLUSTER = Code::new(6526);
    /// A master is no member of its cluster any more.
    MASTER_REMOVED = Code::new(6527);
    /// No master answers.
    NO_MASTER = Code::new(7001);
    /// The time for a call is over, and what came of it isn't known.
    TIMED_OUT = Code::new(7002);
    /// A client's settings can't be used.
    CLIENT_SETTINGS = Code::new(7003);
    /// A topology's program doesn't describe it.
    NOT_DESCRIBED = Code::new(7004);
    /// A file that a command was given can't be read, or not be written.
    COMMAND_FILE = Code::new(7005);
    /// What was waited for didn't come in time.
    NOT_YET = Code::new(7006);
    /// There is no such error code.
    NO_SUCH_CODE = Code::new(7007);
    /// What a command found can't be written to stdout.
    NO_STDOUT = Code::new(7008);
    /// Something answered that is no master.
    NOT_A_MASTER = Code::new(7009);
    /// The system refuses what a command needs.
    COMMAND_SYSTEM = Code::new(7010);
    /// What was given as a package's id is that of none, or of several.
    NOT_ONE_PACKAGE = Code::new(7011);
    /// What a worker remembers can't be read.
    WORKER_MEMORY_DAMAGED = Code::new(8001);
    /// Another process uses a worker's data.
    WORKER_DATA_IN_USE = Code::new(8002);
    /// A worker's disk refuses.
    WORKER_DISK = Code::new(8003);
    /// A worker can't listen where it is to.
    WORKER_CANT_LISTEN = Code::new(8004);
    /// A part of a worker ended by itself.
    WORKER_PART_ENDED = Code::new(8005);
    /// A master's word isn't obeyed: it is older than the last, or another cluster's.
    STATE_REFUSED = Code::new(8006);
    /// A worker can't get a package.
    PACKAGE_NOT_HAD = Code::new(8007);
    /// A worker hears no master.
    NO_MASTER_HEARD = Code::new(8008);
    /// A slot's process doesn't stay up.
    SLOT_FAILING = Code::new(8009);
    /// A slot's process can't be what its daemon wants it to be.
    SLOT_MISFIT = Code::new(8010);
    /// A process can't become a slot.
    SLOT_FOLDER = Code::new(8011);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_stand_in_their_order_and_none_is_given_twice() {
        for pair in ALL.windows(2) {
            assert!(pair[0].number() < pair[1].number(), "{} stands before {}", pair[0], pair[1]);
        }
    }

    #[test]
    fn each_is_read_back_from_how_it_is_written() {
        for code in ALL {
            assert_eq!(code.to_string().parse::<Code>(), Ok(*code));
            let written = postcard::to_stdvec(code).unwrap();
            assert_eq!(postcard::from_bytes::<Code>(&written), Ok(*code));
        }
    }
}
