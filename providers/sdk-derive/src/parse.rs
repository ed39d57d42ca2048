//! From the struct's tokens to what the derive needs to know.

use syn::meta::ParseNestedMeta;
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{Data, DeriveInput, Expr, Field, Fields, Ident, LitInt, LitStr, Path, Result, Type};

/// A struct that becomes a model.
pub(crate) struct Model {
    pub(crate) name: Ident,
    pub(crate) version: u64,
    pub(crate) framework: bool,
    pub(crate) deprecated: Option<String>,
    pub(crate) rules: Vec<Rule>,
    pub(crate) members: Vec<Member>,
}

/// A rule between arguments: a variant of `sdk::Rule` and the arguments' names.
pub(crate) struct Rule {
    pub(crate) variant: &'static str,
    pub(crate) names: Vec<LitStr>,
}

/// A field.
pub(crate) struct Member {
    pub(crate) field: Ident,
    pub(crate) ty: Type,
    /// The name in the schema.
    pub(crate) name: String,
    pub(crate) kind: Kind,
}

/// What a field stands for.
pub(crate) enum Kind {
    Attribute(Box<Attribute>),
    Block(Block),
    /// The `timeouts` block with these operations.
    Timeouts(Vec<String>),
}

/// `#[attr(…)]`
#[derive(Default)]
pub(crate) struct Attribute {
    pub(crate) required: bool,
    pub(crate) optional: bool,
    pub(crate) computed: bool,
    pub(crate) force_new: bool,
    pub(crate) sensitive: bool,
    pub(crate) write_only: bool,
    pub(crate) keep_prior: bool,
    /// The type is a set although the field is a `Vec`.
    pub(crate) set: bool,
    pub(crate) default: Option<Expr>,
    pub(crate) deprecated: Option<String>,
    pub(crate) equivalent: Option<Path>,
    pub(crate) normalize: Option<Path>,
    pub(crate) checks: Vec<Expr>,
}

/// `#[block(…)]`
#[derive(Default)]
pub(crate) struct Block {
    pub(crate) nesting: Option<Ident>,
    pub(crate) min: u32,
    pub(crate) max: u32,
    pub(crate) computed: bool,
    pub(crate) force_new: bool,
}

/// Names of rules and the variants that they stand for.
const RULES: [(&str, &str); 4] = [
    ("conflicts", "Conflicts"),
    ("exactly_one_of", "ExactlyOneOf"),
    ("at_least_one_of", "AtLeastOneOf"),
    ("required_with", "RequiredWith"),
];

pub(crate) fn model(input: &DeriveInput) -> Result<Model> {
    let Data::Struct(data) = &input.data else {
        return Err(syn::Error::new(input.span(), "a model is a struct"));
    };
    let Fields::Named(fields) = &data.fields else {
        return Err(syn::Error::new(input.span(), "a model has named fields"));
    };
    let mut model = Model {
        name: input.ident.clone(),
        version: 0,
        framework: false,
        deprecated: None,
        rules: Vec::new(),
        members: Vec::new(),
    };
    for attribute in input.attrs.iter().filter(|a| a.path().is_ident("model")) {
        attribute.parse_nested_meta(|meta| {
            if meta.path.is_ident("version") {
                model.version = meta.value()?.parse::<LitInt>()?.base10_parse()?;
            } else if meta.path.is_ident("framework") {
                model.framework = true;
            } else if meta.path.is_ident("deprecated") {
                model.deprecated = Some(meta.value()?.parse::<LitStr>()?.value());
            } else if let Some((_, variant)) = RULES.iter().find(|(name, _)| meta.path.is_ident(name)) {
                let names;
                syn::parenthesized!(names in meta.input);
                let names = Punctuated::<LitStr, syn::Token![,]>::parse_terminated(&names)?;
                model.rules.push(Rule { variant, names: names.into_iter().collect() });
            } else {
                return Err(unknown(
                    &meta,
                    "version, framework, deprecated, conflicts, exactly_one_of, at_least_one_of, required_with",
                ));
            }
            Ok(())
        })?;
    }
    for field in &fields.named {
        model.members.push(member(field)?);
    }
    Ok(model)
}

fn member(field: &Field) -> Result<Member> {
    let Some(ident) = field.ident.clone() else {
        return Err(syn::Error::new(field.span(), "a model has named fields"));
    };
    let plain = ident.to_string();
    let mut name = plain.strip_prefix("r#").unwrap_or(&plain).to_owned();
    let mut kind = None;
    for attribute in &field.attrs {
        let path = attribute.path();
        if path.is_ident("attr") {
            let mut parsed = Attribute::default();
            attribute.parse_nested_meta(|meta| attr(&meta, &mut parsed, &mut name))?;
            kind = Some(Kind::Attribute(Box::new(parsed)));
        } else if path.is_ident("block") {
            let mut parsed = Block::default();
            attribute.parse_nested_meta(|meta| block(&meta, &mut parsed, &mut name))?;
            if parsed.nesting.is_none() {
                return Err(syn::Error::new(attribute.span(), "say how it nests: list, set or single"));
            }
            kind = Some(Kind::Block(parsed));
        } else if path.is_ident("timeouts") {
            let mut operations = Vec::new();
            attribute.parse_nested_meta(|meta| {
                operations.push(meta.path.require_ident()?.to_string());
                Ok(())
            })?;
            kind = Some(Kind::Timeouts(operations));
        }
    }
    let Some(kind) = kind else {
        return Err(syn::Error::new(field.span(), "say what it is: #[attr(…)], #[block(…)] or #[timeouts(…)]"));
    };
    Ok(Member { field: ident, ty: field.ty.clone(), name, kind })
}

fn attr(meta: &ParseNestedMeta<'_>, into: &mut Attribute, name: &mut String) -> Result<()> {
    let path = &meta.path;
    if path.is_ident("required") {
        into.required = true;
    } else if path.is_ident("optional") {
        into.optional = true;
    } else if path.is_ident("computed") {
        into.computed = true;
    } else if path.is_ident("force_new") {
        into.force_new = true;
    } else if path.is_ident("sensitive") {
        into.sensitive = true;
    } else if path.is_ident("write_only") {
        into.write_only = true;
    } else if path.is_ident("keep_prior") {
        into.keep_prior = true;
    } else if path.is_ident("set") {
        into.set = true;
    } else if path.is_ident("default") {
        into.default = Some(meta.value()?.parse()?);
    } else if path.is_ident("deprecated") {
        into.deprecated = Some(meta.value()?.parse::<LitStr>()?.value());
    } else if path.is_ident("equivalent") {
        let text: LitStr = meta.value()?.parse()?;
        into.equivalent = Some(text.parse()?);
    } else if path.is_ident("normalize") {
        let text: LitStr = meta.value()?.parse()?;
        into.normalize = Some(text.parse()?);
    } else if path.is_ident("valid") {
        into.checks = match meta.value()?.parse()? {
            Expr::Array(checks) => checks.elems.into_iter().collect(),
            check => vec![check],
        };
    } else if path.is_ident("name") {
        *name = meta.value()?.parse::<LitStr>()?.value();
    } else {
        return Err(unknown(
            meta,
            "required, optional, computed, force_new, sensitive, write_only, keep_prior, set, default, deprecated, \
             equivalent, normalize, valid, name",
        ));
    }
    Ok(())
}

fn block(meta: &ParseNestedMeta<'_>, into: &mut Block, name: &mut String) -> Result<()> {
    let path = &meta.path;
    let nesting = ["list", "set", "single"].iter().any(|n| path.is_ident(n));
    if nesting {
        into.nesting = path.get_ident().cloned();
    } else if path.is_ident("required") {
        into.min = 1;
    } else if path.is_ident("min") {
        into.min = meta.value()?.parse::<LitInt>()?.base10_parse()?;
    } else if path.is_ident("max") {
        into.max = meta.value()?.parse::<LitInt>()?.base10_parse()?;
    } else if path.is_ident("computed") {
        into.computed = true;
    } else if path.is_ident("force_new") {
        into.force_new = true;
    } else if path.is_ident("name") {
        *name = meta.value()?.parse::<LitStr>()?.value();
    } else {
        return Err(unknown(meta, "list, set, single, required, min, max, computed, force_new, name"));
    }
    Ok(())
}

fn unknown(meta: &ParseNestedMeta<'_>, known: &str) -> syn::Error {
    meta.error(format!("unknown flag; there are: {known}"))
}
