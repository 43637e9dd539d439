//! The struct as a row, checked: what can't become one is refused here, at the place that is to blame.

use std::collections::BTreeSet;

use quote::ToTokens;
use syn::ext::IdentExt;
use syn::{Data, DeriveInput, Error, Field, Fields, GenericParam, Generics, Ident, Lifetime, LitStr, Path, Result};

use crate::attributes;

pub struct Row<'a> {
    pub squall: Path,
    pub name: &'a Ident,
    pub generics: &'a Generics,
    /// What the row borrows for, if it borrows.
    pub lifetime: Option<&'a Lifetime>,
    /// The struct's fields, and what each is called in the stream.
    pub fields: Vec<(&'a Ident, LitStr)>,
}

impl<'a> Row<'a> {
    pub fn new(input: &'a DeriveInput) -> Result<Self> {
        let fields = named_fields(input)?;
        Ok(Self {
            squall: attributes::squall_path(&input.attrs)?,
            name: &input.ident,
            generics: &input.generics,
            lifetime: lifetime(&input.generics)?,
            fields: named(fields)?,
        })
    }
}

fn named_fields(input: &DeriveInput) -> Result<impl Iterator<Item = &Field>> {
    const WANTED: &str = "`Tuple` is for structs with named fields: their names are the stream's";
    match &input.data {
        Data::Struct(data) => match &data.fields {
            Fields::Named(fields) => Ok(fields.named.iter()),
            Fields::Unnamed(fields) => Err(Error::new_spanned(fields, WANTED)),
            Fields::Unit => Err(Error::new_spanned(&input.ident, WANTED)),
        },
        Data::Enum(data) => Err(Error::new_spanned(data.enum_token, WANTED)),
        Data::Union(data) => Err(Error::new_spanned(data.union_token, WANTED)),
    }
}

fn lifetime(generics: &Generics) -> Result<Option<&Lifetime>> {
    let mut own = None;
    for param in &generics.params {
        match param {
            GenericParam::Lifetime(param) if own.is_none() => own = Some(&param.lifetime),
            GenericParam::Lifetime(param) => {
                return Err(refused(&param.lifetime, "a row has one lifetime: that of the tuple it is read from"));
            }
            GenericParam::Type(param) => {
                return Err(refused(
                    &param.ident,
                    "a row can't have type parameters: a stream's fields have one type each",
                ));
            }
            GenericParam::Const(param) => return Err(refused(&param.ident, "a row can't have const parameters")),
        }
    }
    Ok(own)
}

fn refused(culprit: impl ToTokens, why: &str) -> Error {
    Error::new_spanned(culprit, why)
}

fn named<'a>(fields: impl Iterator<Item = &'a Field>) -> Result<Vec<(&'a Ident, LitStr)>> {
    let mut taken = BTreeSet::new();
    fields
        .filter_map(|field| field.ident.as_ref().map(|ident| (field, ident)))
        .map(|(field, ident)| {
            let name = match attributes::renamed(&field.attrs)? {
                Some(name) => name,
                None => LitStr::new(&ident.unraw().to_string(), ident.span()),
            };
            if taken.insert(name.value()) {
                Ok((ident, name))
            } else {
                Err(Error::new(name.span(), format_args!("two fields are called {:?}", name.value())))
            }
        })
        .collect()
}
