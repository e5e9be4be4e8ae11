"""One kind of fault per function, in a file per family; `ALL` is what a schedule draws from."""

from __future__ import annotations

from chaos.faults.clocks import CLOCKS
from chaos.faults.cuts import CUTS
from chaos.faults.disks import DISKS
from chaos.faults.fault import Fault
from chaos.faults.kills import KILLS
from chaos.faults.locks import LOCKS
from chaos.faults.stops import STOPS

ALL: dict[str, Fault] = {fault.name: fault for fault in (*KILLS, *STOPS, *CUTS, *LOCKS, *DISKS, *CLOCKS)}
