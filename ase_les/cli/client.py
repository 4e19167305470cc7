"""``ase-les client``: forces for i-PI through its socket."""

from __future__ import annotations

from typing import Annotated

import typer

from ase_les.cli._options import (
    BeyondLimits,
    Charge,
    Config,
    Device,
    DielectricConstant,
    DType,
    Model,
    Quiet,
    Structure,
    Threads,
)


def client(
    structure: Structure = None,
    model: Model = None,
    committee: Annotated[
        list[str] | None,
        typer.Option(help="Additional model; forces are means over all models. May be repeated."),
    ] = None,
    charge: Charge = None,
    address: Annotated[str, typer.Option(help="Host on which i-PI runs.")] = "localhost",
    port: Annotated[int, typer.Option(help="Port in the input of i-PI.")] = 31415,
    unix: Annotated[
        str | None, typer.Option(help="Name of the Unix socket, instead of host and port.")
    ] = None,
    extras: Annotated[
        str,
        typer.Option(
            help="Extras sent with structures: dipole, BEC, charges, committee; comma-separated."
        ),
    ] = "",
    dielectric: DielectricConstant = None,
    patience: Annotated[float, typer.Option(help="Time in s to wait for i-PI to listen.")] = 60.0,
    beyond_limits: BeyondLimits = False,
    device: Device = None,
    dtype: DType = None,
    threads: Threads = 1,
    config: Config = None,
    quiet: Quiet = False,
) -> None:
    """Send forces of a model to i-PI until it ends; STRUCTURE is the initial structure of i-PI."""
    from ase_les.cli._calculator import calculated_structure, make_calculator, set_threads
    from ase_les.interop.ipi import Evaluator, connect, run_client
    from ase_les.model_limits import check_limits
    from ase_les.reports.terminal import console, print_notes

    set_threads(threads)
    settings = {} if dielectric is None else {"dielectric": dielectric}
    atoms, _ = calculated_structure(structure, model, device, dtype, charge, None, **settings)
    others = [make_calculator(name, device or "cpu", dtype) for name in committee or ()]
    notes = [
        note
        for each in (atoms.calc, *others)
        for note in check_limits(each, atoms, beyond_limits=beyond_limits)
    ]
    print_notes(list(dict.fromkeys(notes)), quiet)
    requested = [name.strip() for name in extras.split(",") if name.strip()]
    evaluate = Evaluator(atoms, [atoms.calc, *others], requested)
    connection = connect(address, port, unix, patience)
    console(quiet).print("connected to i-PI")
    count = run_client(evaluate, connection)
    console(quiet).print(f"i-PI has ended; {count} structures evaluated")
