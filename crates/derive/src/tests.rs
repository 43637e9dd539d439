//! What the derive expands to, and where it points when it refuses. That the expansion compiles and works is tested where the traits
//! are, in `squall-types`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::DeriveInput;

use crate::expand::expand;

fn expanded(source: &str) -> TokenStream {
    let input: DeriveInput = syn::parse_str(source).unwrap_or_else(|error| panic!("{source}: {error}"));
    expand(&input).unwrap_or_else(|error| panic!("{source}: {error}"))
}

fn assert_expands(source: &str, expected: TokenStream) {
    assert_eq!(expanded(source).to_string(), expected.to_string(), "{source}");
}

/// The derive refuses `source`, points at `culprit`, and says `why`.
fn assert_refused(source: &str, culprit: &str, why: &str) {
    let input: DeriveInput = syn::parse_str(source).unwrap_or_else(|error| panic!("{source}: {error}"));
    let Err(error) = expand(&input) else { panic!("{source} was expanded") };
    assert_eq!(error.span().source_text().as_deref(), Some(culprit), "{source}");
    assert!(error.to_string().contains(why), "{source}: {error}");
}

#[test]
fn a_struct_with_a_lifetime_borrows_from_the_tuple() {
    let expected = quote! {
        const _: () = {
            static FIELDS: [&'static str; 2] = ["word", "n"];

            #[automatically_derived]
            impl<'a> ::squall::IntoRow for Word<'a> {
                #[inline]
                fn fields() -> ::core::option::Option<&'static [&'static str]> {
                    ::core::option::Option::Some(&FIELDS)
                }

                #[inline]
                fn write(self, row: &mut ::squall::RowWriter<'_>) {
                    row.put(self.word);
                    row.put(self.n);
                }
            }

            #[automatically_derived]
            impl<'a> ::squall::FromTuple<'a> for Word<'a> {
                #[inline]
                fn from_tuple(
                    tuple: &::squall::Tuple<'a>,
                ) -> ::core::result::Result<Self, ::squall::RowError> {
                    if tuple.schema().matches(&FIELDS) {
                        ::core::result::Result::Ok(Self { word: tuple.get(0)?, n: tuple.get(1)? })
                    } else {
                        ::core::result::Result::Ok(Self { word: tuple.field("word")?, n: tuple.field("n")? })
                    }
                }
            }
        };
    };
    assert_expands("struct Word<'a> { word: &'a str, n: i64 }", expected);
}

#[test]
fn a_struct_without_a_lifetime_is_read_from_any_tuple() {
    let expansion = expanded("struct Count { n: i64 }").to_string();
    let header = quote! { impl<'tuple> ::squall::FromTuple<'tuple> for Count }.to_string();
    assert!(expansion.contains(&header), "{expansion}");
    assert!(expansion.contains(&quote! { impl ::squall::IntoRow for Count }.to_string()), "{expansion}");
}

#[test]
fn a_renamed_field_goes_by_its_new_name_in_the_list_and_when_read() {
    let expansion = expanded(r#"struct Count { #[tuple(rename = "how many")] n: i64 }"#).to_string();
    for part in [
        quote! { static FIELDS: [&'static str; 1] = ["how many"]; },
        quote! { Self { n: tuple.field("how many")? } },
        quote! { row.put(self.n); },
    ] {
        assert!(expansion.contains(&part.to_string()), "{part} in {expansion}");
    }
}

#[test]
fn a_raw_identifier_goes_by_its_plain_name() {
    let expansion = expanded("struct Order { r#type: i64 }").to_string();
    assert!(expansion.contains(&quote! { = ["type"] }.to_string()), "{expansion}");
    assert!(expansion.contains(&quote! { Self { r#type: tuple.field("type")? } }.to_string()), "{expansion}");
}

#[test]
fn another_path_replaces_squalls_everywhere() {
    let expansion = expanded(r#"#[tuple(crate = "::a::b")] struct Count { n: i64 }"#).to_string();
    assert!(!expansion.contains("squall"), "{expansion}");
    assert!(expansion.contains(&quote! { ::a::b::FromTuple }.to_string()), "{expansion}");
}

#[test]
fn attributes_of_others_are_left_alone() {
    let plain = expanded("struct Count { n: i64 }").to_string();
    let adorned = expanded("#[serde(tag = \"x\")] struct Count { #[serde(rename = \"y\")] n: i64 }").to_string();
    assert_eq!(adorned, plain);
}

#[test]
fn what_has_no_named_fields_is_refused() {
    const WHY: &str = "structs with named fields";
    assert_refused("enum Word { A, B }", "enum", WHY);
    assert_refused("union Word { a: u8, b: i8 }", "union", WHY);
    assert_refused("struct Word(String, i64);", "(String, i64)", WHY);
    assert_refused("struct Word;", "Word", WHY);
}

#[test]
fn parameters_that_a_row_cannot_have_are_refused() {
    assert_refused("struct Word<T: Copy> { word: T }", "T", "type parameters");
    assert_refused("struct Word<'a, T> { word: &'a T }", "T", "type parameters");
    assert_refused("struct Word<const N: usize> { n: i64 }", "N", "const parameters");
    assert_refused("struct Word<'a, 'b> { a: &'a str, b: &'b str }", "'b", "one lifetime");
}

#[test]
fn an_unknown_attribute_is_refused_with_what_there_is() {
    assert_refused(r#"struct Word { #[tuple(name = "x")] n: i64 }"#, "name", "`rename = \"name\"`");
    assert_refused(r#"#[tuple(rename = "x")] struct Word { n: i64 }"#, "rename", "`crate = \"path\"`");
    assert_refused(r#"struct Word { #[tuple(crate = "x")] n: i64 }"#, "crate", "`rename = \"name\"`");
}

#[test]
fn an_attribute_that_says_too_much_or_too_little_is_refused() {
    assert_refused(r#"struct Word { #[tuple(rename = "x", rename = "y")] n: i64 }"#, "rename", "twice");
    assert_refused(r#"struct Word { #[tuple(rename = "x")] #[tuple(rename = "y")] n: i64 }"#, "rename", "twice");
    assert_refused(r#"struct Word { #[tuple(rename = "")] n: i64 }"#, r#""""#, "empty");
    assert_refused("struct Word { #[tuple(rename = 1)] n: i64 }", "1", "string literal");
    assert_refused("struct Word { #[tuple(rename)] n: i64 }", ")", "expected `=`");
    assert_refused(r#"#[tuple(crate = "a b")] struct Word { n: i64 }"#, r#""a b""#, "unexpected token");
}

#[test]
fn two_fields_of_one_name_are_refused_at_the_second() {
    assert_refused(r#"struct Word { n: i64, #[tuple(rename = "n")] m: i64 }"#, r#""n""#, "two fields are called \"n\"");
    assert_refused(r#"struct Word { #[tuple(rename = "m")] n: i64, m: i64 }"#, "m", "two fields are called \"m\"");
}
