//! `console`

mod editor;

use std::sync::Arc;
use std::time::Duration;

use clap::ArgAction;
use config::reference_checks::Place;
use config::references::Reference;
use lang::ast::Expr;
use lang::eval::{Scope, evaluate};
use lang::{Diagnostics, Type, Value};
use planner::hooks::{Hooks, NoHooks};
use planner::outlook::Outlook;
use planner::plan::Plan;
use planner::{GivenVariable, VariableValue};

use super::Exit;
use super::apply::Verb;
use super::operation::{self, Planned, Prepared};
use crate::args::groups::{PlanningArgs, StateArgs, VariableArgs};
use crate::render::value::format_value;
use crate::session::Session;
use editor::Terminal;

/// Starts an interactive console for experimenting with Terraform interpolations. It reads expressions line by line from
/// the standard input; objects are as the state holds them, or as a plan leaves them.
#[derive(Debug, clap::Parser)]
pub struct ConsoleArgs {
    /// Path to the state file to read.
    #[arg(long, value_name = "path")]
    pub state: Option<String>,
    /// Plan first, and evaluate with the objects as the plan leaves them.
    #[arg(long, action = ArgAction::Set, default_value_t = false)]
    pub plan: bool,
    /// If specified, output won't contain any color.
    #[arg(long, action = ArgAction::Set, default_value_t = false)]
    pub no_color: bool,
    /// Values of input variables.
    #[command(flatten)]
    pub variables: VariableArgs,
}

const HELP: &str = "The Terraform console allows you to experiment with Terraform interpolations.\nYou may access resources \
                    in the state (if you have one) just as you would\nfrom a configuration. For example: \
                    \"aws_instance.foo.id\" would evaluate\nto the ID of \"aws_instance.foo\" if it exists in your \
                    state.\n\nType in the interpolation to test and hit <enter> to see the result.\n\nTo exit the console, \
                    type \"exit\" and hit <enter>, or use Control-C or\nControl-D.";

/// Runs the command.
pub async fn run(session: &Session, args: &ConsoleArgs) -> Exit {
    let fail = |diagnostics: &Diagnostics| {
        session.show(diagnostics);
        Exit::Failure
    };
    session.environment.give(&args.variables.given);
    if args.plan {
        return match planned(session, args).await {
            Ok((prepared, plan)) => {
                let given = prepared.options.variables;
                hold(session, &Outlook::of_plan(&prepared.workspace, &plan, given))
            }
            Err(diagnostics) => fail(&diagnostics),
        };
    }
    let state = match session.read_state(args.state.as_deref()).await {
        Ok(state) => state.unwrap_or_default(),
        Err(diagnostics) => return fail(&diagnostics),
    };
    let (workspace, diagnostics) = session.load(false);
    let Some(workspace) = workspace.filter(|_| !diagnostics.has_errors()) else { return fail(&diagnostics) };
    let (mut given, diagnostics) = crate::variables::collect(session, &workspace.config, &args.variables.given);
    if diagnostics.has_errors() {
        return fail(&diagnostics);
    }
    // Nobody is asked for what has no value: it is not known here.
    for (name, variable) in workspace.config.variables.iter().filter(|(_, variable)| variable.default.is_none()) {
        given.entry(name.clone()).or_insert_with(|| GivenVariable {
            value: VariableValue::Value(Value::unknown(Type::Dynamic)),
            origin: "in the console".to_owned(),
            range: variable.range,
            automatic: true,
        });
    }
    match Outlook::of_state(&workspace, &state, given) {
        Ok(outlook) => hold(session, &outlook),
        Err(diagnostics) => fail(&diagnostics),
    }
}

/// A plan of the configuration, for `-plan`.
async fn planned(session: &Session, args: &ConsoleArgs) -> Result<(Prepared, Plan), Diagnostics> {
    let planning = PlanningArgs { variables: args.variables.clone(), ..PlanningArgs::default() };
    let prepared = operation::prepare(session, &planning, false, Verb::Plan)?;
    let state = StateArgs { lock: true, lock_timeout: Duration::ZERO, state: args.state.clone() };
    let opened = session.open(&state, None, "OperationTypePlan").await?;
    let hooks: Arc<dyn Hooks> = Arc::new(NoHooks);
    let planned = match operation::open_state(session, &prepared, &opened, &hooks).await {
        Ok((snapshots, _)) => Ok(operation::plan(&prepared, &snapshots, hooks).await),
        Err(diagnostics) => Err(diagnostics),
    };
    session.show(&opened.close().await);
    let Planned { plan, diagnostics } = planned?;
    match plan.filter(|_| !diagnostics.has_errors()) {
        Some(plan) => {
            session.show(&diagnostics);
            Ok((prepared, plan))
        }
        None => Err(diagnostics),
    }
}

/// Answers until there are no more questions.
fn hold(session: &Session, outlook: &Outlook<'_>) -> Exit {
    if session.ui.is_interactive {
        return converse(session, outlook);
    }
    let mut last = String::new();
    while let Some(line) = session.ui.read_line() {
        last = match line.trim() {
            "" => String::new(),
            "exit" => return Exit::Success,
            "help" => HELP.to_owned(),
            line => match answer(session, outlook, line) {
                Ok(text) => text,
                Err(diagnostics) => {
                    session.show(&diagnostics);
                    return Exit::Failure;
                }
            },
        };
    }
    session.ui.print(&format!("{last}\n"));
    Exit::Success
}

/// Answers somebody at a terminal, until they have enough; mistakes end nothing.
fn converse(session: &Session, outlook: &Outlook<'_>) -> Exit {
    let mut terminal = match Terminal::open(names(outlook)) {
        Ok(terminal) => terminal,
        Err(error) => {
            session.ui.error("Failed to initialize console", &error.to_string());
            return Exit::Failure;
        }
    };
    while let Some(text) = terminal.read() {
        let shown = match text.trim() {
            "" => continue,
            "exit" => break,
            "help" => HELP.to_owned(),
            text => match answer(session, outlook, text) {
                Ok(text) => text,
                Err(diagnostics) => {
                    session.show(&diagnostics);
                    continue;
                }
            },
        };
        session.ui.print(&format!("{shown}\n\n"));
    }
    Exit::Success
}

/// What an expression in the root module can begin with.
fn names(outlook: &Outlook<'_>) -> Vec<String> {
    let (world, root) = (&outlook.world, &outlook.root);
    let config = &root.config;
    let functions = world.scope(root).functions().names().into_iter().filter(|name| !name.starts_with("core::"));
    let mut names: Vec<String> = functions.map(|name| format!("{name}(")).collect();
    names.extend(config.variables.keys().map(|name| format!("var.{name}")));
    names.extend(config.locals.keys().map(|name| format!("local.{name}")));
    names.extend(config.calls.keys().map(|name| format!("module.{name}")));
    names.extend(config.resources.keys().map(ToString::to_string));
    names.extend(["exit", "help", "path.cwd", "path.module", "path.root", "terraform.workspace"].map(str::to_owned));
    names.sort();
    names
}

fn answer(session: &Session, outlook: &Outlook<'_>, line: &str) -> Result<String, Diagnostics> {
    let (world, root) = (&outlook.world, &outlook.root);
    let (expr, mut diagnostics) = lang::syntax::parse_expression(&session.sources, "<console-input>", line);
    if diagnostics.has_errors() {
        return Err(diagnostics);
    }
    for traversal in expr.traversals() {
        match Reference::parse(traversal) {
            Ok(reference) => {
                if let Err(problem) = root.config.check_reference(&reference, Place::default()) {
                    diagnostics.push(problem);
                }
            }
            Err(problem) => diagnostics.push(problem),
        }
    }
    if diagnostics.has_errors() {
        return Err(diagnostics);
    }
    let scope = world.scope(root);
    let value = |expr: &Expr, diagnostics: &mut Diagnostics| evaluate(expr, &scope, diagnostics);
    let asked = expr.static_call().filter(|call| call.name.as_str() == "type");
    let text = match asked.and_then(|call| call.arguments.first()) {
        Some(argument) => type_text(&value(argument, &mut diagnostics).ty(), 0),
        None => format_value(&value(&expr, &mut diagnostics), 0),
    };
    diagnostics.append(world.take_diagnostics());
    if diagnostics.has_errors() { Err(diagnostics) } else { Ok(text) }
}

/// The type of a collection's elements: an object or a tuple has lines of its own.
fn element_text(element: &Type, indent: usize) -> String {
    match element {
        Type::Object(_) | Type::Tuple(_) => {
            let (inner, end) = (" ".repeat(indent + 4), " ".repeat(indent));
            format!("\n{inner}{},\n{end}", type_text(element, indent + 4))
        }
        other => type_text(other, indent),
    }
}

/// A type as the console's `type` shows it, `indent` columns deep.
fn type_text(ty: &Type, indent: usize) -> String {
    let inner = " ".repeat(indent + 4);
    let end = " ".repeat(indent);
    match ty {
        Type::Dynamic => "dynamic".to_owned(),
        Type::List(element) => format!("list({})", element_text(element, indent)),
        Type::Set(element) => format!("set({})", element_text(element, indent)),
        Type::Map(element) => format!("map({})", element_text(element, indent)),
        Type::Object(object) if object.attributes.is_empty() => "object({})".to_owned(),
        Type::Object(object) => {
            let items: String = object
                .attributes
                .iter()
                .map(|(name, ty)| format!("{inner}{name}: {},\n", type_text(ty, indent + 4)))
                .collect();
            format!("object({{\n{items}{end}}})")
        }
        Type::Tuple(elements) if elements.is_empty() => "tuple([])".to_owned(),
        Type::Tuple(elements) => {
            let items: String = elements.iter().map(|ty| format!("{inner}{},\n", type_text(ty, indent + 4))).collect();
            format!("tuple([\n{items}{end}])")
        }
        primitive => primitive.to_string(),
    }
}
