// Starts `farcast lsp` for .farcast files, and runs experiments in a terminal.

const vscode = require("vscode");
const { LanguageClient } = require("vscode-languageclient/node");

let client;

function program() {
  return vscode.workspace.getConfiguration("farcast").get("path", "farcast");
}

// Runs a command on the file of the active editor.
async function inTerminal(command) {
  const editor = vscode.window.activeTextEditor;
  if (!editor || editor.document.isUntitled) {
    vscode.window.showErrorMessage("Save the experiment first.");
    return;
  }
  await editor.document.save();
  const folder = vscode.workspace.getWorkspaceFolder(editor.document.uri);
  const execution = new vscode.ProcessExecution(
    program(),
    [command, editor.document.uri.fsPath],
    folder ? { cwd: folder.uri.fsPath } : {},
  );
  const scope = folder ?? vscode.TaskScope.Global;
  const definition = { type: "farcast", command };
  const task = new vscode.Task(definition, scope, command, "farcast", execution, []);
  await vscode.tasks.executeTask(task);
}

async function activate(context) {
  context.subscriptions.push(
    vscode.commands.registerCommand("farcast.run", () => inTerminal("run")),
    vscode.commands.registerCommand("farcast.plan", () => inTerminal("plan")),
  );
  const watcher = vscode.workspace.createFileSystemWatcher("**/*.farcast");
  context.subscriptions.push(watcher);
  client = new LanguageClient(
    "farcast",
    "farcast",
    { command: program(), args: ["lsp"] },
    {
      documentSelector: [{ language: "farcast" }],
      synchronize: { fileEvents: watcher },
    },
  );
  try {
    await client.start();
  } catch (error) {
    const install = "Install it, or set farcast.path.";
    vscode.window.showErrorMessage(`${program()} lsp does not start: ${error.message}. ${install}`);
  }
}

async function deactivate() {
  await client?.stop();
}

module.exports = { activate, deactivate };
