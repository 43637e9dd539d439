//! The implementations.

use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::{DeriveInput, Index, Lifetime, LitStr, Result};

use crate::row::Row;

/// The implementations of `IntoRow` and `FromTuple` for a struct.
///
/// Both point at one static list of names: a schema remembers the list's address once it has compared it.
pub fn expand(input: &DeriveInput) -> Result<TokenStream> {
    let row = Row::new(input)?;
    let (count, names) = (Index::from(row.fields.len()), row.fields.iter().map(|(_, name)| name));
    let (into_row, from_tuple) = (into_row(&row), from_tuple(&row));
    Ok(quote! {
        const _: () = {
            static FIELDS: [&'static str; #count] = [#(#names),*];
            #into_row
            #from_tuple
        };
    })
}

fn into_row(row: &Row<'_>) -> TokenStream {
    let Row { squall, name, .. } = row;
    let (impl_generics, type_generics, bounds) = row.generics.split_for_impl();
    let fields = row.fields.iter().map(|(ident, _)| ident);
    quote! {
        #[automatically_derived]
        impl #impl_generics #squall::IntoRow for #name #type_generics #bounds {
            #[inline]
            fn fields() -> ::core::option::Option<&'static [&'static str]> {
                ::core::option::Option::Some(&FIELDS)
            }

            #[inline]
            fn write(self, row: &mut #squall::RowWriter<'_>) {
                #(row.put(self.#fields);)*
            }
        }
    }
}

fn from_tuple(row: &Row<'_>) -> TokenStream {
    let Row { squall, name, .. } = row;
    let (_, type_generics, bounds) = row.generics.split_for_impl();
    let lifetime = row.lifetime.cloned().unwrap_or_else(|| Lifetime::new("'tuple", Span::mixed_site()));
    let params = if row.lifetime.is_some() { &row.generics.params } else { &syn::parse_quote!(#lifetime) };
    let idents: Vec<_> = row.fields.iter().map(|(ident, _)| ident).collect();
    let names: Vec<&LitStr> = row.fields.iter().map(|(_, name)| name).collect();
    let positions = (0..row.fields.len()).map(Index::from);
    quote! {
        #[automatically_derived]
        impl<#params> #squall::FromTuple<#lifetime> for #name #type_generics #bounds {
            #[inline]
            fn from_tuple(
                tuple: &#squall::Tuple<#lifetime>,
            ) -> ::core::result::Result<Self, #squall::RowError> {
                if tuple.schema().matches(&FIELDS) {
                    ::core::result::Result::Ok(Self { #(#idents: tuple.get(#positions)?),* })
                } else {
                    ::core::result::Result::Ok(Self { #(#idents: tuple.field(#names)?),* })
                }
            }
        }
    }
}
