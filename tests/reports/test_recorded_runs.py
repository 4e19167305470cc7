"""Reports on spectra, dielectric constant and transport contain the numbers of the results."""

from __future__ import annotations

import numpy as np
import pytest
import yaml
from rich.console import Console

from ase_les.properties.dielectric import dielectric_from_run
from ase_les.properties.infrared_dynamics import Band, infrared_from_run
from ase_les.properties.transport import transport_from_run
from ase_les.reports import dielectric, infrared_dynamics, transport
from ase_les.simulation.series import Series

N = 8000


@pytest.fixture
def stem(tmp_path, rng):
    """Run of 1000 Å³ with a current of white noise and the dipole that is its integral."""
    common = {"volume_A3": np.full(N, 1000.0), "temperature_K": np.full(N, 300.0)}
    current = rng.normal(size=(N, 3))
    dipole = np.concatenate([np.zeros((1, 3)), np.cumsum(current[1:] + current[:-1], axis=0)])
    for column, values in (("current_eA_per_fs", current), ("dipole_eA", dipole)):
        Series(2.0 * np.arange(N), {column: values, **common}).save(
            tmp_path / f"run-{column.split('_')[0]}.npz"
        )
    return tmp_path / "run"


def printed(table) -> str:
    console = Console(width=160)
    with console.capture() as capture:
        console.print(table)
    return capture.get()


def summary_of(output):
    return yaml.safe_load(output.with_name(output.name + "-summary.yml").read_text())


def test_infrared(stem, tmp_path):
    reference = tmp_path / "measured.txt"
    np.savetxt(reference, np.column_stack([np.linspace(100, 4000, 50), np.ones(50)]))
    result = infrared_from_run(
        stem,
        bands=[Band("bend", 1500, 1800)],
        reference=reference,
        epsilon_infinity=4.0,
        output=tmp_path / "ir",
    )
    output = tmp_path / "ir"
    infrared_dynamics.write(result, output)
    summary = summary_of(output)
    assert summary["peaks"]["bend"]["center_per_cm"]["mean"] == result.peaks[0].center_per_cm.mean
    assert summary["input"]["moments_multiplied_by"] == 2.0
    assert summary["settings"]["reference"] == str(reference)
    assert output.with_name("ir.png").stat().st_size > 1000
    text = printed(infrared_dynamics.table(result))
    assert "bend" in text and str(result.peaks[0].intensity_km_per_mol) in text


def test_band_centers_beside_references(stem):
    result = infrared_from_run(stem, bands=[Band("bend", 1500, 1800)])
    references = {"experiment": {"bend": "1645"}}
    table = infrared_dynamics.comparison_table("bands", result.peaks, 0.5, references)
    assert "experiment" in printed(table) and "1645" in printed(table)


def test_dielectric(stem, tmp_path):
    output = tmp_path / "eps"
    result = dielectric_from_run(stem, epsilon_infinity=1.78, resolution_per_cm=30, output=output)
    dielectric.write(result, output)
    assert summary_of(output)["static"]["epsilon"]["mean"] == result.static.epsilon.mean
    assert output.with_name("eps.png").stat().st_size > 1000
    assert str(result.static.epsilon) in printed(dielectric.table(result))


def test_transport(stem, tmp_path, capsys):
    output = tmp_path / "transport"
    result = transport_from_run(stem, output=output)
    transport.write(result, output)
    conductivity = summary_of(output)["conductivity"]
    assert conductivity["green_kubo_S_per_m"]["mean"] == result.green_kubo.value.mean
    assert conductivity["einstein_helfand_S_per_m"]["mean"] == result.einstein_helfand.mean
    assert output.with_name("transport.png").stat().st_size > 1000
    assert str(result.green_kubo.value) in printed(transport.table(result))
    transport.show(result)
    assert "does not exist: no diffusion" in capsys.readouterr().err
    transport.show(result, quiet=True)
    assert capsys.readouterr().err == ""
