"""The private and undocumented names of libraries that this project uses, each with its reason.

`tests/test_library_names.py` looks for each of them in the installed version, and refuses a use of
any other private name. When a new version of a library has moved one, the test names it, and
`reason` says what breaks without it.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class LibraryName:
    """A name: `path` within `module`.

    A part of a path may be an attribute that only instances have. `outer.<locals>.inner` is a
    function within a function; what follows is a variable of it.
    """

    module: str
    path: str
    reason: str

    def __str__(self) -> str:
        return f"{self.module}:{self.path}"

    @property
    def last(self) -> str:
        """The name itself."""
        return self.path.rpartition(".")[2]


# openai-agents: a tool's errors, and agents used as tools
_TOOL = "agents.tool"
_SDK = (
    LibraryName(
        _TOOL,
        "set_function_tool_failure_error_function",
        "a tool is run without what turns its errors into text, so that hooks see the failure",
    ),
    LibraryName(
        _TOOL,
        "resolve_function_tool_failure_error_function",
        "the model gets the words of a tool's own `failure_error_function`",
    ),
    LibraryName(_TOOL, "get_function_tool_origin", "`ToolCall.server`: the tool's MCP server"),
    LibraryName(
        _TOOL,
        "FunctionTool._agent_instance",
        "tells which agent a tool made by `Agent.as_tool` runs",
    ),
    LibraryName(
        "agents",
        "Handoff._agent_ref",
        "the agent of a handoff: a run that goes on finds the turn's copy of it",
    ),
    LibraryName(
        _TOOL,
        "_FailureHandlingFunctionToolInvoker._invoke_tool_impl",
        "the function in whose closure `Agent.as_tool` keeps its agent",
    ),
    LibraryName(
        "agents.agent",
        "Agent.as_tool.<locals>._run_agent_impl.self",
        "the variable of that closure; a copy of the function has the turn's copy of the agent",
    ),
    LibraryName(
        "agents.agent_tool_state",
        "peek_agent_tool_run_result",
        "tells an inner agent that waits for an approval from one that has answered",
    ),
    LibraryName(
        "agents.agent_tool_state", "get_agent_tool_state_scope", "where to look for the former"
    ),
    LibraryName(
        "agents.agent_tool_state",
        "_agent_tool_run_results_by_obj",
        "the SDK keeps a waiting inner agent, with its turn, for ever",
    ),
    LibraryName("agents.agent_tool_state", "_drop_agent_tool_run_result", "removes it from there"),
    LibraryName(
        "agents.run_state", "RunState._context", "tells to which turn an inner agent belongs"
    ),
    LibraryName(
        "agents",
        "Handoff._agent_ref",
        "the agent that a handoff leads to: the SDK looks there when it resumes a run",
    ),
    LibraryName(
        "agents",
        "AgentBase.get_mcp_tools",
        "replaced on a turn's copy of an agent: it gives the tools of connections that are kept",
    ),
    LibraryName(
        "agents.usage",
        "_mark_request_completed_without_usage",
        "a request is counted whose tokens its provider does not tell",
    ),
    LibraryName(
        "agents.usage",
        "_attach_raw_usage_snapshot",
        "`ModelSettings.preserve_raw_usage` keeps the usage as the provider tells it",
    ),
    LibraryName("agents.usage", "_extract_raw_usage_snapshot", "reads what the former keeps"),
    LibraryName(
        "agents.run",
        "AgentRunner",
        "derived from, though marked as experimental: what `Runner.run` calls is replaced by it",
    ),
    LibraryName(
        "agents.run",
        "set_default_agent_runner",
        "puts the former into place: runs that plugins start find the server's models",
    ),
    LibraryName("agents.run", "get_default_agent_runner", "the runner that it calls in turn"),
    LibraryName(
        "agents.result",
        "RunResultStreaming.run_loop_task",
        "awaited when a turn ends, so that no model and no tool of it goes on",
    ),
    LibraryName(
        "agents.result",
        "RunResultStreaming._sandbox_cleanup",
        "cleared when a turn ends: it is a reference cycle that keeps the run in memory",
    ),
    LibraryName(
        "agents.mcp",
        "MCPServer._get_needs_approval_for_tool",
        "passed on by the stand-in for a server, so that `require_approval` holds",
    ),
    LibraryName(
        "agents.mcp",
        "MCPServer._get_failure_error_function",
        "passed on by the stand-in for a server, so that its own error function is used",
    ),
    LibraryName(
        "agents.mcp.server",
        "_MCPServerWithClientSession.session",
        "another object after each connection: tells an old failure from a new one",
    ),
    LibraryName(
        "agents.mcp.server",
        "_MCPServerWithClientSession.message_handler",
        "set to hear of changed tools",
    ),
    LibraryName(
        "mcp.client.stdio",
        "_stop_server_process",
        "a child process with standard input and output of ours ends as the library's does",
    ),
    LibraryName(
        "agents.mcp.server",
        "_MCPServerWithClientSession.create_streams",
        "replaced on a server: its messages are looked at before the library works on them",
    ),
    LibraryName(
        "mcp",
        "ClientSession._elicitation_callback",
        "set after connecting: the SDK cannot be told who answers what a server asks the user",
    ),
    LibraryName(
        "httpx2",
        "Response.aiter_bytes",
        "replaced on an MCP server's answer: its unpacked bytes are counted as they are read",
    ),
)

# openai-agents: requests to models
_MODELS = (
    LibraryName(
        "agents",
        "OpenAIChatCompletionsModel._fetch_response",
        "overridden: timeouts, answers that broke off, and the endpoint's own client",
    ),
    LibraryName(
        "agents", "OpenAIResponsesModel._fetch_response", "overridden: timeouts, broken answers"
    ),
    LibraryName(
        "agents",
        "OpenAIResponsesModel._build_response_create_kwargs",
        "overridden: parameters that a model refuses are left out, `include` too",
    ),
    LibraryName(
        "agents.extensions.models.litellm_model",
        "LitellmModel._fetch_response",
        "overridden: timeouts, broken answers, and the provider's own errors",
    ),
    LibraryName(
        "agents.models.chatcmpl_stream_handler",
        "ChatCmplStreamHandler.handle_stream",
        "makes events of the chunks that the fast path leaves",
    ),
    LibraryName(
        "agents.models.chatcmpl_converter",
        "Converter.tool_to_openai",
        "tools are sent without a copy of all their schemas",
    ),
    LibraryName(
        "agents.models.fake_id", "FAKE_RESPONSES_ID", "the id that the SDK gives such answers"
    ),
    LibraryName(
        "openai",
        "AsyncStream._cast_to",
        "set to `object`: no typed object is made of each chunk that LiteLLM reads",
    ),
)

_HTTP = (
    LibraryName(
        "aiohttp",
        "StreamReader._read_nowait",
        "what came before a connection broke; the public methods raise instead",
    ),
    LibraryName(
        "aiohttp.web_protocol",
        "RequestHandler._messages",
        "what was received and waits: tells a head from a body, and finds what was malformed",
    ),
    LibraryName("sys", "_getframe", "tells where a call was made that blocks the event loop"),
    LibraryName(
        "aiohttp.web_protocol",
        "RequestHandler._waiter",
        "there while a connection waits for a request: then another process can go on with it",
    ),
    LibraryName(
        "aiohttp.web_protocol",
        "_ErrInfo",
        "stands there for malformed HTTP; aiohttp does not tell who reads the body before it",
    ),
    LibraryName(
        "aiohttp",
        "BaseConnector._factory",
        "what makes a client's connections: theirs limit what a server sends before its answer",
    ),
    LibraryName(
        "aiohttp.client_proto", "ResponseHandler._payload", "tells whether an answer has ended"
    ),
    *(
        LibraryName(library, path, "the same for httpx: what makes its connections")
        for library in ("httpx", "httpx2")
        for path in (
            "AsyncClient._transport",
            "AsyncClient._mounts",
            "AsyncHTTPTransport._pool",
        )
    ),
    LibraryName("httpcore", "AsyncConnectionPool._network_backend", "the same"),
    LibraryName("httpcore2", "AsyncConnectionPool._network_backend", "the same"),
    LibraryName(
        "aiohttp.web_protocol", "ERROR", "the request that aiohttp makes of malformed HTTP"
    ),
    LibraryName(
        "aiohttp.web_request",
        "BaseRequest._read_bytes",
        "emptied: it would hold the body until the end of the stream",
    ),
    LibraryName(
        "aiohttp_sse",
        "EventSourceResponse._ping",
        "overridden: a keep-alive of one line, and only after a silence",
    ),
    LibraryName("aiohttp_sse", "EventSourceResponse._ping_interval", "the seconds of that silence"),
    LibraryName(
        "aiohttp_sse",
        "EventSourceResponse._send_timeout",
        "the seconds after which a client that does not read is dropped",
    ),
    LibraryName(
        "aiohttp_sse", "EventSourceResponse._abort_transport", "drops a client that does not read"
    ),
)

_CHATKIT = (
    LibraryName(
        "chatkit.agents",
        "AgentContext._events",
        "the queue of a turn's events; replaced by an object that sends them at once",
    ),
)

_TORTOISE = (
    LibraryName(
        "tortoise.backends.base.client",
        "BaseDBAsyncClient._in_transaction",
        "a transaction of this application's database; the public function takes the current one",
    ),
    LibraryName(
        "tortoise.backends.base.client",
        "TransactionalDBClient._finalized",
        "whether a transaction was committed or rolled back by hand",
    ),
    LibraryName(
        "tortoise.backends.base_postgres.client",
        "BasePostgresClient._pool",
        "a connection is waited for with a limit, in transactions too",
    ),
    LibraryName(
        "tortoise.backends.base_postgres.client",
        "BasePostgresClient._pool_init_lock",
        "what Tortoise's own connections and transactions are made with",
    ),
    LibraryName(
        "tortoise.backends.base_postgres.client",
        "BasePostgresClient._close",
        "the pool is closed with a limit",
    ),
    LibraryName(
        "asyncpg.connection",
        "Connection._transport",
        "its socket gets keep-alives; without them, a dead connection is noticed later",
    ),
    LibraryName(
        "tortoise.backends.sqlite.client",
        "SqliteClient._lock",
        "the same: the lock of the one connection",
    ),
    LibraryName(
        "tortoise.backends.sqlite.client",
        "SqliteTransactionContext._trxlock",
        "waited for with a limit",
    ),
    LibraryName(
        "tortoise.backends.sqlite.client",
        "SqliteTransactionWrapper._parent",
        "the client that a transaction was made from, with its limits",
    ),
    LibraryName(
        "tortoise.migrations.executor",
        "MigrationExecutor._schema_editor",
        "makes Tortoise's own table of migrations before the transaction begins",
    ),
)

_LITELLM = (
    LibraryName(
        "litellm",
        "_async_success_callback",
        "if nobody listens, LiteLLM need not put each answer together again",
    ),
    LibraryName(
        "litellm.litellm_core_utils.streaming_handler",
        "CustomStreamWrapper.completion_stream",
        "replaced by a source that takes text past LiteLLM",
    ),
    LibraryName(
        "litellm.litellm_core_utils.streaming_handler",
        "CustomStreamWrapper.received_finish_reason",
        "tells an answer that broke off; LiteLLM makes up a reason for it",
    ),
    LibraryName(
        "litellm.litellm_core_utils.streaming_handler",
        "CustomStreamWrapper.intermittent_finish_reason",
        "the same for Gemini",
    ),
    LibraryName(
        "litellm.litellm_core_utils.streaming_handler",
        "CustomStreamWrapper.sent_stream_usage",
        "the last chunk has come; what follows is only for LiteLLM's logs",
    ),
    LibraryName(
        "litellm.litellm_core_utils.streaming_handler",
        "CustomStreamWrapper.merge_reasoning_content_in_choices",
        "LiteLLM changes text then, and must see it",
    ),
    LibraryName(
        "litellm.litellm_core_utils.streaming_handler",
        "CustomStreamWrapper.logging_obj",
        "who listens to this one answer",
    ),
    LibraryName(
        "litellm.llms.vertex_ai.gemini.vertex_and_google_ai_studio_gemini",
        "VertexGeminiConfig._check_finish_reason",
        "an answer of Gemini that breaks off is not complete, and its reasons are told",
    ),
    LibraryName(
        "litellm.litellm_core_utils.logging_worker",
        "GLOBAL_LOGGING_WORKER.stop",
        "a task that would outlive the application",
    ),
    LibraryName(
        "litellm.llms.custom_httpx.http_handler",
        "AsyncHTTPHandler._create_async_transport",
        "LiteLLM follows redirects with the conversation and the keys, and reads without a limit",
    ),
    LibraryName(
        "litellm.llms.custom_httpx.aiohttp_handler",
        "BaseLLMAIOHTTPHandler.completion",
        "the requests of `aiohttp_openai`, which are refused: they have none of the limits",
    ),
    LibraryName(
        "litellm.llms.custom_httpx.aiohttp_transport",
        "LiteLLMAiohttpTransport._client_factory",
        "makes a session of aiohttp, which limits what a server sends before its answer",
    ),
    LibraryName(
        "litellm",
        "in_memory_llm_clients_cache.cache_dict",
        "the clients to close when the application ends",
    ),
)

LIBRARY_NAMES = (*_SDK, *_MODELS, *_HTTP, *_CHATKIT, *_TORTOISE, *_LITELLM)
