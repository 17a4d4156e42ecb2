"""Drives `farcast lsp` by a client that others wrote (pygls), which refuses what breaks the protocol.

Usage: python tests/editors/client.py PATH_OF_FARCAST
Needs: pip install "pygls>=2"
"""

import asyncio
import sys

from lsprotocol import types as lsp
from pygls.lsp.client import LanguageClient

TEXT = """\
param length: Int = 4 in 1..=9
data all = synthetic(regime, rows: 400) # 😀
data seen = where(all, zz <= 0.6)
parent net = mlp(seen, inputs: [x], target: y, epochs: lenght)
score s = compare(net, on: all)
"""
URI = "file:///none/a.farcast"


def place(line: int, character: int) -> lsp.Position:
    return lsp.Position(line=line, character=character)


async def main(program: str) -> None:
    client = LanguageClient("test", "1")
    published: asyncio.Queue[lsp.PublishDiagnosticsParams] = asyncio.Queue()

    @client.feature(lsp.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS)
    def diagnostics(params: lsp.PublishDiagnosticsParams) -> None:
        published.put_nowait(params)

    await client.start_io(program, "lsp")
    started = await client.initialize_async(
        lsp.InitializeParams(capabilities=lsp.ClientCapabilities())
    )
    assert started.server_info.name == "farcast"
    client.initialized(lsp.InitializedParams())
    client.text_document_did_open(
        lsp.DidOpenTextDocumentParams(lsp.TextDocumentItem(URI, "farcast", 1, TEXT))
    )
    found = (await asyncio.wait_for(published.get(), 10)).diagnostics
    assert [one.code for one in found] == ["unknown-column", "unknown-name"], found
    document = lsp.TextDocumentIdentifier(URI)
    actions = await client.text_document_code_action_async(
        lsp.CodeActionParams(document, found[1].range, lsp.CodeActionContext([]))
    )
    edit = actions[0].edit.changes[URI][0]
    assert edit.new_text == "length", actions
    client.text_document_did_change(
        lsp.DidChangeTextDocumentParams(
            lsp.VersionedTextDocumentIdentifier(uri=URI, version=2),
            [
                lsp.TextDocumentContentChangePartial(range=edit.range, text="length"),
                lsp.TextDocumentContentChangePartial(range=found[0].range, text="z"),
            ],
        )
    )
    while (await asyncio.wait_for(published.get(), 10)).diagnostics:
        pass
    hover = await client.text_document_hover_async(lsp.HoverParams(document, place(3, 18)))
    assert "columns: `x`, `z`, `y`" in hover.contents.value, hover
    items = await client.text_document_completion_async(
        lsp.CompletionParams(document, place(3, 56))
    )
    assert any(item.label == "length" for item in items), items
    helped = await client.text_document_signature_help_async(
        lsp.SignatureHelpParams(document, place(3, 40))
    )
    assert helped.signatures[0].label.startswith("mlp("), helped
    renamed = await client.text_document_rename_async(
        lsp.RenameParams(document, place(1, 6), "whole")
    )
    assert len(renamed.changes[URI]) == 3, renamed
    outline = await client.text_document_document_symbol_async(
        lsp.DocumentSymbolParams(document)
    )
    assert [one.name for one in outline] == ["length", "all", "seen", "net", "s"], outline
    where = await client.text_document_definition_async(
        lsp.DefinitionParams(document, place(3, 18))
    )
    assert where.range.start == place(2, 5), where
    uses = await client.text_document_references_async(
        lsp.ReferenceParams(lsp.ReferenceContext(True), document, place(3, 18))
    )
    assert len(uses) == 2, uses
    marks = await client.text_document_document_highlight_async(
        lsp.DocumentHighlightParams(document, place(3, 18))
    )
    assert len(marks) == 2, marks
    edits = await client.text_document_formatting_async(
        lsp.DocumentFormattingParams(document, lsp.FormattingOptions(4, True))
    )
    assert edits == [] or edits[0].range.start == place(0, 0), edits
    await client.shutdown_async(None)
    client.exit(None)
    await client.stop()
    print("the language server and pygls understand each other")


asyncio.run(asyncio.wait_for(main(sys.argv[1]), 60))
