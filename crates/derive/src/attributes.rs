//! What `#[tuple(…)]` says.

use syn::meta::ParseNestedMeta;
use syn::{Attribute, Error, LitStr, Path, Result};

/// The path to Squall's names: what `crate = "…"` on the struct says, or `::squall`.
pub fn squall_path(attributes: &[Attribute]) -> Result<Path> {
    let mut path = None;
    for_each(attributes, |meta| {
        if !meta.path.is_ident("crate") {
            return Err(unknown(meta, "on a struct there is `crate = \"path\"`"));
        }
        once(meta, &mut path)
    })?;
    path.map_or_else(|| Ok(syn::parse_quote!(::squall)), |path| path.parse())
}

/// The field's name in the stream, if `rename = "…"` gives it one.
pub fn renamed(attributes: &[Attribute]) -> Result<Option<LitStr>> {
    let mut name = None;
    for_each(attributes, |meta| {
        if !meta.path.is_ident("rename") {
            return Err(unknown(meta, "on a field there is `rename = \"name\"`"));
        }
        once(meta, &mut name)
    })?;
    match name {
        Some(name) if name.value().is_empty() => Err(Error::new(name.span(), "a field's name can't be empty")),
        name => Ok(name),
    }
}

fn for_each(attributes: &[Attribute], mut logic: impl FnMut(&ParseNestedMeta<'_>) -> Result<()>) -> Result<()> {
    attributes
        .iter()
        .filter(|attribute| attribute.path().is_ident("tuple"))
        .try_for_each(|attribute| attribute.parse_nested_meta(|meta| logic(&meta)))
}

fn once(meta: &ParseNestedMeta<'_>, value: &mut Option<LitStr>) -> Result<()> {
    if value.is_some() {
        return Err(Error::new_spanned(&meta.path, "said twice"));
    }
    *value = Some(meta.value()?.parse()?);
    Ok(())
}

fn unknown(meta: &ParseNestedMeta<'_>, known: &str) -> Error {
    Error::new_spanned(&meta.path, format_args!("unknown attribute; {known}"))
}
