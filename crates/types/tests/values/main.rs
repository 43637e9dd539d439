//! Values: what they equal, how they look, and that they survive being written and read.

mod binary;
mod convert;
mod depth;
mod embedded;
mod json;
mod order;
mod show;
mod text;
mod timestamp;

use proptest::prelude::*;
use squall_types::{Str, Timestamp, Value};

/// Floats with the odd ones as likely as the others.
fn float() -> impl Strategy<Value = f64> {
    prop_oneof![
        any::<f64>(),
        any::<u64>().prop_map(f64::from_bits),
        prop_oneof![
            Just(0.0),
            Just(-0.0),
            Just(f64::NAN),
            Just(-f64::NAN),
            Just(f64::INFINITY),
            Just(f64::NEG_INFINITY)
        ],
    ]
}

/// Keys among which tags and their escapes are likely.
fn key() -> impl Strategy<Value = Str> {
    prop_oneof![
        "[a-z]{0,3}".prop_map(Str::from),
        r"\${0,3}(timestamp|bytes|float|map|x)".prop_map(Str::from),
        ".{20,30}".prop_map(Str::from),
    ]
}

/// Any value, a few levels deep.
fn value() -> impl Strategy<Value = Value> {
    let flat = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        prop_oneof![any::<i64>(), -3..3_i64].prop_map(Value::Int),
        float().prop_map(Value::Float),
        ".{0,40}".prop_map(Value::from),
        proptest::collection::vec(any::<u8>(), 0..40).prop_map(Value::from),
        any::<i64>().prop_map(|micros| Value::Timestamp(Timestamp::from_micros(micros))),
    ];
    flat.prop_recursive(4, 40, 5, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            proptest::collection::btree_map(key(), inner, 0..3).prop_map(Value::from),
        ]
    })
}

/// So many lists within each other, the innermost empty.
fn nested(levels: usize) -> Value {
    (1..levels).fold(Value::List([].into()), |inner, _| Value::List([inner].into()))
}
