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
}
