//! `#[derive(Tuple)]`: a struct as a row of a stream.
//!
//! The work is in `expand`, which maps syntax to syntax and is tested as such; this file only carries tokens in and out.

mod attributes;
mod expand;
mod row;
#[cfg(test)]
mod tests;

use proc_macro::TokenStream;

/// Makes a struct a row: its named fields, in their order, are the row's fields. Implements `IntoRow`, so that it can be emitted, and
/// `FromTuple`, so that a tuple can be read as it.
///
/// ```ignore
/// #[derive(Tuple)]
/// struct Word<'a> {
///     word: &'a str,
///     #[tuple(rename = "n")]
///     count: i64,
/// }
/// ```
///
/// The struct may have one lifetime, that of the text and bytes it borrows from the tuple it is read from; it can't have type
/// parameters. A tuple is read by position where the stream has exactly the struct's fields in their order, else by name.
///
/// - `#[tuple(rename = "x")]` on a field: what the field is called in the stream.
/// - `#[tuple(crate = "path")]` on the struct: where Squall's names are, if not at `::squall`.
#[proc_macro_derive(Tuple, attributes(tuple))]
pub fn derive_tuple(input: TokenStream) -> TokenStream {
    let expanded = syn::parse(input).and_then(|input| expand::expand(&input));
    expanded.unwrap_or_else(syn::Error::into_compile_error).into()
}
