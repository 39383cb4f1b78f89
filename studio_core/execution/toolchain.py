"""Running a module through the compiler and its runtime, where they are on PATH.

    StableHLO → TTIR → TTNN → C++ (if wanted) → runtime form → flatbuffer → `ttrt perf`

`run_toolchain` is a generator like the CPU's: progress, and the `ToolchainResult` in its last
step. The compiler gets argument lists; the names of its options are in `toolchain_names`.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeVar

from studio_core.errors import InvalidRequestError, StorageError
from studio_core.execution.sessions import Cancellation
from studio_core.execution.tool_process import ToolRunner
from studio_core.execution.toolchain_names import (
    DEBUG_INFO,
    OPT,
    RUNTIME,
    TO_CPP,
    TO_FLATBUFFER,
    TRANSLATE,
    PipelineNames,
    find_tools,
    pipelines_in,
)
from studio_core.execution.toolchain_results import (
    GOLDEN_FILE,
    MEMORY_FILE,
    PERF_FILE,
    Accuracy,
    OpTime,
    read_golden,
    read_memory,
    read_perf,
)
from studio_core.mlir.records import Operation
from studio_core.overrides.compiler_options import LeftOut, to_compiler_options
from studio_core.overrides.records import Overrides

AUTO, CPU, TOOLCHAIN = "auto", "cpu", "toolchain"
BACKENDS = (AUTO, CPU, TOOLCHAIN)

SYSTEM_FILE = "system_desc.ttsys"
QUERY_SECONDS = 120.0
_QUERY = ("query", "--save-artifacts")
MAX_CODE_BYTES = 64 << 20

Dialect = Literal["stablehlo", "ttir", "ttnn"]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class TimeLimits:
    """How long a tool may take, in seconds."""

    query: float = QUERY_SECONDS
    compile: float = 1800.0
    run: float = 3600.0


@dataclass(frozen=True, slots=True)
class ToolchainRequest:
    """What is run: the file of a module, and how.

    ``folder`` takes all files; what an earlier run left there is replaced. ``system_path`` is
    a system description of the runtime's own, asked of the machine where it is None.
    """

    module_path: Path
    dialect: Dialect
    folder: Path
    optimizer_enabled: bool
    overrides: Overrides = field(default_factory=Overrides)
    generate_cpp_code: bool = False
    system_path: Path | None = None
    limits: TimeLimits = TimeLimits()


@dataclass(frozen=True, slots=True, eq=False)
class ToolchainResult:
    """What the compiler made and the runtime measured, by bare location of the compiled ops.

    ``commands`` are the argument lists in order; ``left_out`` are overrides that the option
    string cannot say. A file that the runtime did not write leaves its mapping empty.
    """

    compiled_path: Path
    times: Mapping[str, OpTime]
    memory: Mapping[str, dict[str, float]]
    accuracy: Mapping[str, Accuracy]
    cpp_code: str | None
    commands: tuple[tuple[str, ...], ...]
    left_out: tuple[LeftOut, ...]
    version: str


@dataclass(frozen=True, slots=True, eq=False)
class ToolchainStep:
    """Progress, 0 to 1; ``result`` is set in the last step only."""

    message: str
    fraction: float
    result: ToolchainResult | None = None


def is_available() -> bool:
    """Whether all tools of the toolchain are on PATH."""
    return find_tools() is not None


def dialect_of(module: Operation) -> Dialect:
    """What a module is written in; without an op of either it is taken for TTIR."""
    prefixes = {operation.name.partition(".")[0] for operation in module.walk()}
    if "ttnn" in prefixes:
        return "ttnn"
    return "stablehlo" if "stablehlo" in prefixes else "ttir"


def run_toolchain(
    request: ToolchainRequest,
    *,
    cancel: Cancellation | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> Iterator[ToolchainStep]:
    """Compile and run. ``say`` is called with each command and with a failed tool's words.

    Raises `InvalidRequestError` where a tool is missing, none of the known versions, or too
    slow; `InvalidModelError` where the compiler or the runtime refuses the module.
    """
    tools = find_tools()
    if tools is None:
        raise InvalidRequestError(
            f"The toolchain is not here: {OPT}, {TRANSLATE} and {RUNTIME} must all be on PATH. "
            "Choose the backend cpu."
        )
    runner = ToolRunner(request.folder, cancel or Cancellation(), say)
    yield from _Toolchain(request, tools, runner).steps()


def system_description(folder: Path, limit_seconds: float = QUERY_SECONDS) -> Path:
    """The runtime's description of this machine, written below ``folder``.

    Raises as `run_toolchain` does.
    """
    tools = find_tools()
    if tools is None:
        raise InvalidRequestError("The toolchain is not here, so it describes no system.")
    runner = ToolRunner(folder, Cancellation(), lambda _: None)
    runner.run((tools[RUNTIME], *_QUERY, f"--artifact-dir={folder}"), limit_seconds, "query")
    return _only(folder, SYSTEM_FILE)


@dataclass(eq=False)
class _Toolchain:
    """One run on its way."""

    request: ToolchainRequest
    tools: Mapping[str, str]
    runner: ToolRunner
    commands: list[tuple[str, ...]] = field(default_factory=list)

    def steps(self) -> Generator[ToolchainStep, None, None]:
        request, folder = self.request, self.request.folder
        yield ToolchainStep("Asking the compiler for its version", 0.0)
        names = self._names()
        left_out: tuple[LeftOut, ...] = ()
        compiled = request.module_path
        if request.dialect == "stablehlo":
            yield ToolchainStep("Lowering StableHLO to TTIR", 0.05)
            compiled = self._opt(names.to_ttir, "", compiled, "ttir.mlir")
        if request.dialect != "ttnn":
            yield ToolchainStep("Asking the runtime for the system", 0.1)
            system = request.system_path or self._system()
            options = to_compiler_options(
                request.overrides,
                enable_optimizer=request.optimizer_enabled,
                system_desc_path=str(system),
                version=names.options,
            )
            left_out = options.left_out
            yield ToolchainStep("Compiling TTIR to TTNN", 0.2)
            compiled = self._opt(names.to_ttnn, options.text, compiled, "ttnn.mlir")
        code = None
        if request.generate_cpp_code:
            yield ToolchainStep("Writing C++", 0.4)
            code = self._cpp(names, compiled)
        yield ToolchainStep("Making the flatbuffer", 0.5)
        binary = self._flatbuffer(names, compiled)
        yield ToolchainStep("Running on the device", 0.6)
        artifacts = self._run(binary)
        yield ToolchainStep("Reading the results", 0.95)
        result = ToolchainResult(
            compiled,
            _read(artifacts, PERF_FILE, read_perf),
            _read(artifacts, MEMORY_FILE, read_memory),
            _read(artifacts, GOLDEN_FILE, read_golden),
            code,
            tuple(self.commands),
            left_out,
            names.options,
        )
        if not result.times:
            raise StorageError(f"The runtime wrote no times ({PERF_FILE}). The log says more.")
        yield ToolchainStep(f"Done, in {folder.name}", 1.0, result)

    def _names(self) -> PipelineNames:
        text = self._tool(OPT, "--help", limit=self.request.limits.query, name="version")
        names = pipelines_in(text)
        if names is None:
            raise InvalidRequestError(
                f"Studio knows none of the pipelines of this {OPT}. Choose the backend cpu."
            )
        return names

    def _system(self) -> Path:
        folder = self._folder("system")
        limit = self.request.limits.query
        self._tool(RUNTIME, *_QUERY, f"--artifact-dir={folder}", limit=limit, name="query")
        # Relative to where the tools work: the option cannot hold every path of a person's.
        return _only(folder, SYSTEM_FILE).relative_to(self.request.folder)

    def _opt(self, pipeline: str, options: str, source: Path, target: str) -> Path:
        path = self.request.folder / target
        flag = f"--{pipeline}={options}" if options else f"--{pipeline}"
        self._tool(OPT, flag, str(source), "-o", str(path), DEBUG_INFO, name=target)
        return _written(path)

    def _cpp(self, names: PipelineNames, compiled: Path) -> str:
        if names.to_emitc is None:
            raise InvalidRequestError(
                "This version of the compiler makes no C++ from TTNN in a way that Studio "
                "knows. Run without 'generateCppCode'."
            )
        emitc = self._opt(names.to_emitc, "", compiled, "emitc.mlir")
        path = self.request.folder / "module.cpp"
        self._tool(TRANSLATE, TO_CPP, str(emitc), "-o", str(path), name="module.cpp")
        if _written(path).stat().st_size > MAX_CODE_BYTES:
            raise StorageError("The generated C++ is too large to be shown.")
        return path.read_text(encoding="utf-8", errors="replace")

    def _flatbuffer(self, names: PipelineNames, compiled: Path) -> Path:
        source = compiled
        if names.to_runtime is not None:
            source = self._opt(names.to_runtime, "", compiled, "runtime.mlir")
        path = self.request.folder / "module.ttnn"
        self._tool(TRANSLATE, TO_FLATBUFFER, str(source), "-o", str(path), name="module.ttnn")
        return _written(path)

    def _run(self, binary: Path) -> Path:
        folder = self._folder("results")
        arguments = ("perf", str(binary), f"--artifact-dir={folder}", "--memory")
        self._tool(RUNTIME, *arguments, limit=self.request.limits.run, name="run")
        return folder

    def _tool(self, tool: str, *arguments: str, limit: float | None = None, name: str) -> str:
        command = (self.tools[tool], *arguments)
        self.commands.append(command)
        return self.runner.run(command, limit or self.request.limits.compile, name)

    def _folder(self, name: str) -> Path:
        folder = self.request.folder / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder


def _read(folder: Path, name: str, read: Callable[[Path], dict[str, T]]) -> dict[str, T]:
    paths = sorted(folder.rglob(name))
    return read(paths[0]) if paths else {}


def _only(folder: Path, name: str) -> Path:
    paths = sorted(folder.rglob(name))
    if not paths:
        raise StorageError(f"The runtime wrote no {name}. The log says more.")
    return paths[0]


def _written(path: Path) -> Path:
    if not path.is_file():
        raise StorageError(f"The compiler said that all went well, but wrote no {path.name}.")
    return path
