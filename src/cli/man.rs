use std::io;

use clap::Command;
use clap_mangen::Man;

use super::error::CliError;
use super::exit;
use super::verb::Context;

/// Print the manual page
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tuneboard man | man -l -
  tuneboard man > ~/.local/share/man/man1/tuneboard.1")]
pub struct Args {}

/// `tuneboard man`: the program's page, with the verbs as its last sections.
pub fn run(command: Command, context: &mut Context) -> Result<u8, CliError> {
    let page = page(command).map_err(|e| CliError::Internal(e.to_string()))?;
    context.out.raw(&page)?;
    Ok(exit::OK)
}

fn page(mut command: Command) -> io::Result<Vec<u8>> {
    command.build();
    let mut page = Vec::new();
    Man::new(command.clone()).render(&mut page)?;
    for verb in command.get_subcommands().filter(|verb| !verb.is_hide_set()) {
        let name = verb.get_name().to_uppercase();
        page.extend(format!(".SH \"TUNEBOARD {name}\"\n").into_bytes());
        let verb = Man::new(verb.clone());
        verb.render_synopsis_section(&mut page)?;
        verb.render_description_section(&mut page)?;
        verb.render_options_section(&mut page)?;
    }
    Ok(page)
}
