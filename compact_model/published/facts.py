"""The published facts about the device, each beside what the model says."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from compact_model.cards.device import DeviceCard, SwitchingModel
from compact_model.published import answers
from compact_model.published.answers import FactEvaluation


class Status(StrEnum):
    """What is found of one fact under one parameter set."""

    PASS = "pass"
    FAILS = "fails"
    NOT_KNOWABLE = "not knowable"  # neither the paper nor the model can decide it
    NETWORK = "see the network report"


class Standing(StrEnum):
    """What a passed line is worth."""

    INPUT = "input"  # a printed number that the card contains
    FIT = "fit constraint"  # the card was adjusted to meet it
    CHOICE = "chosen"  # assumed anchors or rules were chosen in its favour
    RESULT = "result"  # follows from the rest without having been aimed at
    NETWORK = "network"  # needs the network, not the device


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One published statement, the model quantity that answers it, and the tolerance."""

    number: int
    paper: str
    quantity: str
    tolerance: str
    standing: Standing
    both_sets: bool  # False: the switching parameters do not enter
    evaluate: FactEvaluation | None  # None: needs the network
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FactResult:
    """One fact under one parameter set."""

    fact: Fact
    switching: str  # "A", "B", or "A, B" where the sets do not differ
    status: Status
    value: str
    number: float | None = None


def scoreboard(card: DeviceCard) -> list[FactResult]:
    """All published facts beside what a card gives, under Set A and under Set B where the switching parameters enter.

    Facts state what the paper's devices do; a card of another device is expected to fail some.
    """
    by_set = {model: card.with_choices(switching=model) for model in SwitchingModel}
    results = []
    for fact in FACTS:
        if fact.evaluate is None:
            results.append(FactResult(fact=fact, switching="-", status=Status.NETWORK, value="-"))
            continue
        for model in SwitchingModel if fact.both_sets else (SwitchingModel.A,):
            outcome = fact.evaluate(by_set[model])
            results.append(
                FactResult(
                    fact=fact,
                    switching=model.value if fact.both_sets else "A, B",
                    status=_STATUS[outcome.passed],
                    value=outcome.value,
                    number=outcome.number,
                )
            )
    return results


_STATUS = {True: Status.PASS, False: Status.FAILS, None: Status.NOT_KNOWABLE}


def _facts() -> tuple[Fact, ...]:
    facts: list[Fact] = []

    def add(
        paper: str,
        quantity: str,
        tolerance: str,
        standing: Standing,
        evaluate: FactEvaluation | None,
        *,
        both_sets: bool = False,
        note: str = "",
    ) -> None:
        facts.append(
            Fact(
                number=len(facts) + 1,
                paper=paper,
                quantity=quantity,
                tolerance=tolerance,
                standing=standing,
                both_sets=both_sets,
                evaluate=evaluate,
                note=note,
            )
        )

    given, fit, chosen, result = Standing.INPUT, Standing.FIT, Standing.CHOICE, Standing.RESULT
    add("11 mA is 2.04e11 A/m^2", "J(I)", "0.5 %", result, answers.density(11.0, 2.04e11))
    add("15.4 mA is 2.85e11 A/m^2", "J(I)", "0.5 %", result, answers.density(15.4, 2.85e11))
    add(
        "largest sweep 2.41e11 A/m^2",
        "J(13.01 mA)",
        "0.5 %",
        result,
        answers.density(13.01, 2.41e11),
        note="the current is derived, the paper states the density",
    )
    add("5 x 30 um, layers 1/5.5/t/1.8/2 nm", "w, l, t_tot", "exact", given, answers.geometry)
    add("rho = 90 uohm cm at 0.5 nm", "channel resistance 500 ohm", "1 %", given, answers.resistance)
    add(
        "rho slightly up with RuO2",
        "rho(t)",
        "sign, at most 10 % at 0.5 nm",
        chosen,
        answers.resistivity_rises,
    )
    add("theta not monotone in rho", "theta(t) peaks at 0.5 nm", "sign", chosen, answers.angle_peaks)
    add("xi 5.2 times the reference at 0.5 nm", "g(0.5 nm)", "0.05", given, answers.gain)
    add("xi falls for larger t", "g(t) beyond 0.5 nm", "sign", chosen, answers.gain_falls)
    add(
        "theta = 0.36 at 0.5 nm",
        "xi/T_int",
        "0.01",
        given,
        answers.angle,
        note="xi is obtained from it; absolute xi is uncertain by factors of 2 and pi/2",
    )
    add(
        "theta about 4 times the reference",
        "theta ratio",
        "3.5..4.9",
        fit,
        answers.angle_ratio,
        note="K_s of the reference was chosen for it",
    )
    add("G_Pt = 1.3e15, G_mix = 0.59e15", "T_SBF = 0.474", "1 %", result, answers.backflow)
    add("T_SML = 1 - 0.23 K_s", "slope", "exact", given, answers.memory_loss)
    add("K_s lower at 0.5 nm, rising after", "K_s(t)", "sign", chosen, answers.anisotropy)
    add(
        "xi falls almost monotonically with K_s",
        "xi against K_s",
        "sign",
        chosen,
        answers.efficiency_against_anisotropy,
    )
    add(
        "MgO: K_s = 0.365 below reference, xi slightly up", "torque gain", "1.0..1.4", result, answers.control
    )
    add("sigma_SH up at 0.5 nm, then down", "sigma_SH(t)", "sign", chosen, answers.conductivity)
    add("H_DL/I saturates with H_x", "torque factor", "shape", chosen, answers.field_saturates)
    add(
        "J_c three times lower at 0.5 nm",
        "J_c(0)/J_c(0.5 nm), H_x >= 500 Oe",
        "3.0 +- 0.3 (A), 2.2..4.4 (B)",
        result,
        answers.critical_ratio,
        both_sets=True,
        note="a fit constraint in Set A (its exponent is ln 3/ln 5.2), a result of self-heating in Set B",
    )
    add(
        "J_c follows xi against t",
        "J_c(t) least at 0.5 nm, rising after",
        "sign",
        result,
        answers.critical_trend,
        both_sets=True,
    )
    add("MgO: J_c slightly lower", "J_c ratio", "0.8..1.0", result, answers.control_critical, both_sets=True)
    add("MgO: no loop without field", "s", "below 0.01", given, answers.control_field_free, both_sets=True)
    add(
        "field-free switching at 0.5 nm",
        "s(H_x = 0)",
        "above 0.01",
        given,
        answers.field_free,
        both_sets=True,
    )
    add(
        "68 % at 2.41e11 A/m^2",
        "s(0.5 nm)",
        "1 point",
        fit,
        answers.fraction_at(0.5, 0.68),
        both_sets=True,
        note="fit constraint: the six states and 68 % are jointly compatible with one law, and the window of "
        "0.27 ohm rests on both",
    )
    add("switching grows with J", "ds/dJ", "not negative", result, answers.monotone, both_sets=True)
    add(
        "79 % at 0.7 nm, same J",
        "s(0.7 nm)",
        "1 point",
        fit,
        answers.fraction_at(0.7, 0.79),
        both_sets=True,
        note="the drive at 0.7 nm was fitted to it, one value per set",
    )
    add(
        "0.7 nm is the maximum",
        "argmax of s over the samples",
        "exact",
        chosen,
        answers.best_thickness,
        both_sets=True,
    )
    add(
        "finite window, vanishing beyond a critical t",
        "s(0), s(2.5 nm)",
        "0, below 0.01",
        given,
        answers.window,
        both_sets=True,
    )
    add("zero-field loop shift largest at 0.5 nm, then to 0", "l(t)", "argmax", given, answers.loop_shift)
    add(
        "xi and shift larger at 0.5, switching at 0.7 nm",
        "orderings",
        "sign",
        chosen,
        answers.orderings,
        both_sets=True,
    )
    add("DMI field nears the wall field at 0.7 nm", "wall ratio", "sign", chosen, answers.wall_ratio)
    add(
        "polarity follows applied H_x",
        "loop sense",
        "yes/no",
        chosen,
        answers.applied_polarity,
        both_sets=True,
    )
    gate = "the gate is a minimal rule for the five observations, not derived"
    add("clockwise after +z", "loop sense", "yes/no", chosen, answers.after_plus, both_sets=True, note=gate)
    add("none after -z", "s", "below 0.02", chosen, answers.after_minus, both_sets=True, note=gate)
    add(
        "presets of 390..2350 Oe change nothing",
        "s",
        "below 0.02",
        chosen,
        answers.small_presets,
        both_sets=True,
        note=gate,
    )
    add(
        "2350 Oe or more against the current: counterclockwise, same magnitude",
        "loop sense, difference of s",
        "below 0.02",
        chosen,
        answers.preset_against,
        both_sets=True,
        note=gate,
    )
    add("none after +z again", "s", "below 0.02", chosen, answers.saturated_again, both_sets=True, note=gate)
    add(
        "2350 Oe or more along the current: clockwise",
        "loop sense",
        "yes/no",
        chosen,
        answers.preset_along,
        both_sets=True,
        note=gate,
    )
    add(
        "the same at 0.7 nm",
        "facts 33..38 at 0.7 nm",
        "yes/no",
        chosen,
        answers.same_at_larger_thickness,
        both_sets=True,
    )
    add(
        "six states 0.33..0.57",
        "R_xy after reset and five pulses",
        "6 mohm",
        fit,
        answers.six_states,
        both_sets=True,
        note="read as ohm; the five-pulse reading is inferred from the energy",
    )
    add(
        "broader linear region",
        "states 2..6 off a line",
        "5 mohm",
        result,
        answers.linear_region,
        both_sets=True,
    )
    add("writing at H_x = 0", "H_x", "exact", given, answers.no_field)
    add(
        "non-volatile",
        "drift in 1e4 s",
        "below 1 % of the window",
        chosen,
        answers.retained,
        both_sets=True,
        note="the paper gives no retention time; judged with equal barriers",
    )
    add(
        "87.5 uJ for the complete operation",
        "sum of I^2 R t_p over five pulses",
        "86..89.5 uJ",
        fit,
        answers.energy,
        both_sets=True,
        note="the pulse length of 200 us is derived from it",
    )
    add(
        "repeatable",
        "second cycle minus first, no noise",
        "below 1 mohm",
        chosen,
        answers.repeatable,
        both_sets=True,
        note="return-point memory repeats exactly; the rate law predicts a creep that the paper does not mention",
    )
    add(
        "energy falls with size and short pulses",
        "E(w), E(t_p)",
        "sign, least near t_wall",
        result,
        answers.energy_scaling,
        both_sets=True,
    )
    network = Standing.NETWORK
    add("lookup table of six levels on [-1, 1]", "-1, .083, .333, .583, .75, 1", "0.001", network, None)
    add("784-256-128-10, Adam 1e-3, batch 128, 50 epochs, weight decay", "training", "exact", network, None)
    add(
        "MNIST 98.79 / 95.21 / 90.88 %",
        "accuracy: float, six levels, one bit",
        "0.5 / 1.5 / 3 points",
        network,
        None,
    )
    add("Fashion-MNIST 86 or 87 % with six states", "accuracy", "86.5 +- 1.5; MNIST above", network, None)
    add(
        "multidomain nucleation",
        "independent regions",
        "qualitative",
        chosen,
        answers.regions,
        note="the images are in a supplement; the size of a region is assumed, so the model cannot test it",
    )
    add(
        "negligible shunting at 0.5 nm, more at larger t",
        "share of current in RuO2",
        "below 2 %, rising",
        chosen,
        answers.shunting,
    )
    return tuple(facts)


FACTS: tuple[Fact, ...] = _facts()
"""All facts, numbered from 1."""
