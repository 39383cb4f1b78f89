"""Models to try Studio on: small trained ones in the package, large random ones on demand.

`bundled` reads the trained classifiers, their held-out data and their measured accuracy from
`data/`; `scripts/train_samples.py` writes that folder. `generated` writes well-known large
architectures for benchmarks and tests. Both describe their graphs with `builder`.
"""

from studio_core.samples.bundled import (
    SampleCard,
    SampleData,
    sample_card,
    sample_data,
    sample_names,
    sample_path,
)
from studio_core.samples.generated import generate_model, generated_names
from studio_core.samples.modules import ModuleCard, module_card, module_names, module_path

__all__ = [
    "ModuleCard",
    "SampleCard",
    "SampleData",
    "generate_model",
    "generated_names",
    "module_card",
    "module_names",
    "module_path",
    "sample_card",
    "sample_data",
    "sample_names",
    "sample_path",
]
