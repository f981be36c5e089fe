"""The words of the demonstration firm. Pure data: what is built, by whom, in which order."""

from dataclasses import dataclass, field

FIRM = "Meridian Works"
SLUG = "meridian-works"

#: E-mail local part, name, role.
PEOPLE = (
    ("an.nguyen", "Nguyễn Văn An", "owner"),
    ("linh.tran", "Trần Thùy Linh", "admin"),
    ("minh.le", "Lê Quang Minh", "pm"),
    ("mai.pham", "Phạm Ngọc Mai", "pm"),
    ("duc.hoang", "Hoàng Anh Đức", "member"),
    ("hoa.vo", "Võ Thị Hoa", "member"),
    ("khoa.bui", "Bùi Đăng Khoa", "member"),
    ("trang.do", "Đỗ Thu Trang", "member"),
    ("peter.dang", "Peter Dang", "member"),
    ("sara.klein", "Sara Klein", "viewer"),
    ("client.harbour", "Hải Nam (Harbour Holdings)", "client"),
)

LABELS = (("Concrete", 0), ("Rebar", 1), ("MEP", 4), ("Façade", 6), ("Survey", 2), ("Safety", 10), ("Procurement", 7),
          ("Permit", 9), ("Client", 5), ("Finishes", 3), ("Earthworks", 8), ("Quality", 11))  # fmt: skip


@dataclass(frozen=True, slots=True)
class Phase:
    """A summary task and the steps below it; each step follows the one before. `zones` repeats the steps per zone."""

    name: str
    label: str
    steps: tuple[str, ...]
    zones: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Site:
    """A project. Days are relative to today; `done` is the share of its tasks that are finished, in order."""

    key: str
    name: str
    description: str
    status: str
    priority: str
    risk: str
    start: int
    end: int
    done: float
    late: int
    blocked: int
    budget: int
    spent: int
    phases: tuple[Phase, ...] = field(default=())


LEVELS = tuple(f"level {n}" for n in range(1, 14))

TOWER = Site(
    "HBR", "Harbour Tower", "Eighteen-storey office tower with two basements on the harbour front.", "active", "high",
    "high", -240, 220, 0.46, 14, 6, 300_000_000_000, 184_200_000_000,
    (
        Phase("Site set-up", "Safety", ("Fence and gate", "Site offices and welfare",
              "Temporary power, tower crane 1",
              "Install temporary power, tower crane 2", "Wheel wash and drainage", "Traffic management plan")),
        Phase("Excavation and piling", "Earthworks", ("Set out pile grid", "Bored piles, row A", "Bored piles, row B",
              "Bored piles, row C", "Pile integrity tests", "Excavate to B1", "Excavate to B2", "Trim pile heads",
              "Dewatering wells", "Blinding concrete")),
        Phase("Basements", "Concrete", ("Raft reinforcement", "Pour raft", "Waterproofing, basement B2 walls",
              "B2 walls and columns", "B2 slab", "B1 walls and columns", "B1 slab", "Ramp", "Sump pumps")),
        Phase("Core and frame", "Concrete", ("Column reinforcement", "Column formwork", "Pour columns",
              "Slab formwork",
              "Slab reinforcement", "Pour slab, north", "Pour slab, south", "Strip and back-prop"), LEVELS),
        Phase("Façade", "Façade", ("Survey of slab edges", "Façade mock-up review with client", "Brackets",
              "Unitised panels, north", "Unitised panels, south", "Seals and flashings", "Water test")),
        Phase("Building services", "MEP", ("Riser shafts 1 to 4", "Fire stopping, riser shafts 1 to 4",
              "Chilled water mains",
              "Air handling units", "Sprinkler mains", "Electrical risers", "Transformer room",
              "Lift shaft pressure test",
              "Lift installation, cores A and B", "Fire alarm loop", "Building management system"), ("basements",
              "low zone", "high zone")),
        Phase("Fit-out", "Finishes", ("Order bathroom pods", "Partition set-out", "Raised floors", "Ceiling grid",
              "Stone in the lobby", "Painting", "Doors and hardware"), ("low zone", "mid zone", "high zone")),
        Phase("Handover", "Client", ("Snag list", "Commissioning", "As-built drawings", "Operation manuals",
              "Fire authority inspection", "Final cleaning", "Keys and handover")),
    ),
)  # fmt: skip

SCHOOL = Site(
    "RVS", "Riverside School", "Two-storey primary school for 600 pupils, with a sports hall.", "active",
              "normal", "low",
    -320, 60, 0.86, 0, 0, 46_000_000_000, 40_100_000_000,
    (
        Phase("Foundations", "Concrete", ("Strip topsoil", "Pad footings", "Ground beams", "Damp-proof course",
              "Ground slab"),
              ("block A", "block B")),
        Phase("Structure", "Concrete", ("Columns", "First-floor slab", "Stairs", "Roof beams"), ("block A",
              "block B")),
        Phase("Roof", "Quality", ("Trusses", "Insulation", "Metal sheeting", "Gutters", "Lightning protection")),
        Phase("Classrooms", "Finishes", ("Plaster", "Windows", "Tiles", "Lights and fans", "Whiteboards", "Paint"),
              ("block A ground floor", "block A first floor", "block B ground floor", "block B first floor")),
        Phase("Sports hall", "Finishes", ("Portal frame", "Cladding", "Sprung floor", "Climbing wall", "Scoreboard")),
        Phase("Outside", "Earthworks", ("Playground base", "Trees and shade", "Fence", "Rainwater tank",
              "Car park marking")),
        Phase("Opening", "Client", ("Furniture delivery", "Fire drill", "Staff training", "Opening day")),
    ),
)  # fmt: skip

ROAD = Site(
    "R14", "Road 14 widening", "Widening 6.2 km of Road 14 from two to four lanes, with two bridges.", "active",
              "normal",
    "medium", -150, 190, 0.52, 3, 2, 92_000_000_000, 51_600_000_000,
    (
        Phase("Permits and land", "Permit", ("Land clearance agreements", "Utility permits", "Tree felling permit",
              "Traffic police approval")),
        Phase("Survey", "Survey", ("Control points", "Cross-sections", "Drone survey", "Soil borings")),
        Phase("Earthworks", "Earthworks", ("Clear and grub", "Cut", "Fill and compact", "Subgrade test",
              "Side drains"),
              ("km 0 to 1.5", "km 1.5 to 3", "km 3 to 4.5", "km 4.5 to 6.2")),
        Phase("Pavement", "Quality", ("Sub-base", "Base course", "Prime coat", "Binder course", "Wearing course",
              "Core samples"),
              ("km 0 to 1.5", "km 1.5 to 3", "km 3 to 4.5", "km 4.5 to 6.2")),
        Phase("Bridges", "Concrete", ("Abutments", "Bearings", "Girders", "Deck pour", "Expansion joints",
              "Load test"),
              ("bridge 1", "bridge 2")),
        Phase("Furniture and marking", "Safety", ("Guard rails", "Signs", "Street lights", "Lane marking",
              "Bus stops")),
    ),
)  # fmt: skip

SITES = (TOWER, SCHOOL, ROAD)

REASONS = ("Waiting for the grid permit", "RFI 31 is open: sleeve positions", "Crane booked until Friday",
           "Drawing S-204 rev C not issued", "Rain: compaction out of range",
              "Supplier moved delivery to next week")  # fmt: skip

COMMENTS = (
    "Checked on site this morning, **north side is ready**. South needs one more day.",
    "Delivery note is with the store. Two bundles were short, supplier sends them tomorrow.",
    "Please look at the cover blocks before we close the formwork:\n\n- grid C/4\n- grid C/5",
    "Client asked for photographs before the pour.",
    "Cube results: 7 days at 31 MPa, fine.",
    "Moved by two days because of the wind, crane limits.",
    "Who has the key to riser 3?",
    "Agreed in the site meeting, minutes follow.",
    "Inspector signed, no remarks.",
    "Pump is booked from 05:30, traffic police know.",
)
