"""The helper that the document layouts in banks/ draw from.

A Kit stands for one document's world: one country with its currency, date
style, names and places, and one seeded random generator.  Text is always
English.  Nothing but the standard library is needed.
"""

import datetime
import random
import re

# country: (weight, currency styles, date styles, cities, surnames, first names, streets, postcode, phone, tax, company endings)
LOCALES = {
    "United Kingdom": dict(
        w=10, cur=["£{c}", "GBP {c}", "£{c}", "£ {c}"], code="GBP", dates=["d B Y", "d/m/Y", "dth B Y", "d b Y", "d.m.y"],
        cities="Leeds Bristol Manchester Sheffield Cardiff Norwich Exeter York Glasgow Hull London Reading Oxford Belfast Plymouth Derby".split(),
        last="Whitfield Hargreaves Thornton Ashworth Pembroke Clarke Davies Patel Okafor Bennett Fairclough Wood Reid Mackenzie Lloyd Begum".split(),
        first="Oliver Harriet George Charlotte Imran Sophie Callum Megan Rhys Fiona Nigel Gemma Alastair Priya Dawn Keith".split(),
        streets=["{n} High Street", "{n} Station Road", "Unit {n}, Mill Lane Industrial Estate", "{n} Church Lane", "{n} Victoria Terrace", "{n} Orchard Close", "The Old Bakery, {n} Bridge Street"],
        post="A9 9AA", phone="0#### ######", tax="VAT", end=["Ltd", "Limited", "LLP", "plc", "& Sons", "& Co."], tld="co.uk", iban="GB"),
    "United States": dict(
        w=12, cur=["${c}", "${c}", "USD {c}", "US$ {c}", "$ {c}"], code="USD", dates=["m/d/Y", "B d, Y", "b d, Y", "m/d/y", "m-d-Y"],
        cities="Austin Denver Columbus Portland Tampa Boise Omaha Chicago Seattle Memphis Phoenix Dayton Raleigh Tucson Boston Fresno".split(),
        last="Johnson Martinez Nguyen Miller Washington Kowalski Anderson Brooks Ramirez Foster Hughes Coleman Delgado Schwartz Peterson Chen".split(),
        first="Michael Jennifer Tyler Ashley Brandon Maria Kevin Latoya Brian Heather Carlos Denise Wei Amber Scott Nancy".split(),
        streets=["{n} Main St", "{n} W. Lincoln Ave, Suite {m}", "{n} Oak Ridge Blvd", "{n} Industrial Pkwy", "{n} 5th Avenue", "{n} Maple Drive", "P.O. Box {n}"],
        post="99999", phone="(###) ###-####", tax="Sales tax", end=["Inc.", "LLC", "Corp.", "Co.", "Group", "Partners"], tld="com", iban="US"),
    "Germany": dict(
        w=6, cur=["{e} EUR", "€ {e}", "EUR {c}", "{e} €"], code="EUR", dates=["d.m.Y", "d. B Y", "Y-m-d", "d B Y"],
        cities="Hamburg Stuttgart Leipzig Münster Köln Bremen Dresden Nürnberg Kassel Augsburg Berlin Mainz Rostock".split(),
        last="Schneider Krüger Hoffmann Vogel Lehmann Brandt Weiß Neumann Yilmaz Köhler Richter Baumann Sommer".split(),
        first="Jürgen Anke Matthias Sabine Florian Heike Mehmet Katrin Stefan Ulrike Lukas Birgit".split(),
        streets=["Hauptstraße {n}", "Lindenweg {n}", "Am Markt {n}", "Industriestr. {n}a", "Goethestraße {n}"],
        post="99999", phone="+49 ### #######", tax="MwSt", end=["GmbH", "AG", "KG", "GmbH & Co. KG", "e.K."], tld="de", iban="DE"),
    "France": dict(
        w=4, cur=["{s} €", "EUR {c}", "€{c}", "{s} EUR"], code="EUR", dates=["d/m/Y", "d B Y", "d.m.Y"],
        cities="Lyon Nantes Toulouse Lille Rennes Dijon Grenoble Bordeaux Paris Strasbourg".split(),
        last="Lefèvre Moreau Garnier Dubois Rousseau Benali Chevalier Fontaine Marchand Gauthier".split(),
        first="Camille Antoine Élodie Thierry Nathalie Karim Luc Sylvie Mathieu Aurélie".split(),
        streets=["{n} rue de la République", "{n}, avenue Victor Hugo", "{n} bis rue des Lilas", "{n} boulevard Carnot"],
        post="99999", phone="+33 # ## ## ## ##", tax="TVA", end=["SARL", "SA", "SAS", "et Fils"], tld="fr", iban="FR"),
    "Italy": dict(
        w=3, cur=["€ {e}", "{e} EUR", "EUR {c}"], code="EUR", dates=["d/m/Y", "d B Y", "d.m.Y"],
        cities="Torino Bologna Verona Bari Genova Padova Milano Parma Trieste Lecce".split(),
        last="Rossi Colombo Ferrari Marino Greco Conti Esposito Moretti Barbieri Lombardi".split(),
        first="Giulia Marco Francesca Luca Chiara Paolo Elena Davide Silvia Matteo".split(),
        streets=["Via Garibaldi {n}", "Corso Italia {n}", "Piazza Dante {n}", "Viale Europa {n}"],
        post="99999", phone="+39 ### #######", tax="IVA", end=["S.r.l.", "S.p.A.", "e Figli", "S.n.c."], tld="it", iban="IT"),
    "Spain": dict(
        w=3, cur=["{e} €", "€ {e}", "EUR {c}"], code="EUR", dates=["d/m/Y", "d B Y", "d-m-Y"],
        cities="Valencia Sevilla Bilbao Zaragoza Málaga Vigo Madrid Murcia Granada".split(),
        last="García Navarro Ortega Iglesias Molina Serrano Castillo Vega Romero Cano".split(),
        first="Lucía Javier Carmen Pablo Marta Álvaro Inés Diego Rocío Sergio".split(),
        streets=["Calle Mayor {n}", "Avda. de la Constitución {n}", "C/ San Juan {n}, 2o B", "Plaza España {n}"],
        post="99999", phone="+34 ### ### ###", tax="IVA", end=["S.L.", "S.A.", "e Hijos", "S.L.U."], tld="es", iban="ES"),
    "Ireland": dict(
        w=4, cur=["€{c}", "EUR {c}", "€ {c}"], code="EUR", dates=["d B Y", "d/m/Y", "dth B Y"],
        cities="Galway Cork Limerick Sligo Kilkenny Dublin Waterford Athlone".split(),
        last="O'Brien Gallagher Kavanagh Doyle Ní Bhriain McCarthy Byrne Sheehan Fitzgerald".split(),
        first="Aoife Cian Niamh Declan Siobhan Eoin Orla Padraig".split(),
        streets=["{n} Patrick Street", "{n} Quay Road", "Unit {n}, Shannon Business Park", "{n} Abbey Lane"],
        post="A99 AA99", phone="+353 ## ### ####", tax="VAT", end=["Ltd", "DAC", "& Sons", "Teo."], tld="ie", iban="IE"),
    "India": dict(
        w=8, cur=["Rs. {i}", "INR {i}", "₹{i}", "₹ {i}", "Rs {i}/-"], code="INR", dates=["d/m/Y", "d-b-Y", "d-m-Y", "d B Y", "dth B, Y"],
        cities="Pune Hyderabad Jaipur Kochi Indore Chennai Lucknow Nagpur Mumbai Bengaluru Surat Kolkata".split(),
        last="Sharma Iyer Reddy Nair Deshpande Banerjee Kulkarni Gupta Menon Joshi Singh Khan".split(),
        first="Rohan Ananya Vikram Lakshmi Suresh Meera Arjun Kavita Rajesh Pooja Farhan Divya".split(),
        streets=["{n}, MG Road", "Plot No. {n}, Sector {m}", "Flat {n}, Shanti Apartments", "{n}/{m}, Nehru Nagar", "Shop No. {n}, Gandhi Market"],
        post="999999", phone="+91 ##### #####", tax="GST", end=["Pvt. Ltd.", "Private Limited", "Enterprises", "& Sons", "Traders"], tld="in", iban="IN"),
    "Australia": dict(
        w=6, cur=["${c}", "AUD {c}", "A${c}", "${c}"], code="AUD", dates=["d B Y", "d/m/Y", "d b y"],
        cities="Brisbane Geelong Hobart Perth Newcastle Cairns Ballarat Adelaide Darwin Sydney".split(),
        last="Walsh Papadopoulos Turner Nguyen McGrath Campbell Russo Henderson Lawson Doolan".split(),
        first="Lachlan Bronwyn Jarrod Kylie Hamish Tegan Darren Mai Bruce Sienna".split(),
        streets=["{n} Wattle Street", "Shop {n}, Harbour Parade", "{n} Railway Tce", "Lot {n}, Old Coach Road", "{n} Banksia Court"],
        post="9999", phone="(0#) #### ####", tax="GST", end=["Pty Ltd", "Pty Limited", "Services", "Australia Pty Ltd"], tld="com.au", iban="AU"),
    "Canada": dict(
        w=5, cur=["${c}", "CAD {c}", "C${c}", "$ {c} CDN"], code="CAD", dates=["Y-m-d", "B d, Y", "d/m/Y", "b. d, Y"],
        cities="Calgary Halifax Winnipeg Kelowna Hamilton Montréal Regina Ottawa Toronto".split(),
        last="Tremblay MacDonald Singh Campbell Roy Fraser Lavoie Wong Kowalchuk Stewart".split(),
        first="Liam Chantal Gurpreet Heather Étienne Morgan Joanne Derek Sarah Ian".split(),
        streets=["{n} King Street West", "{n} Lakeshore Road", "{n} rue Sherbrooke", "Bay {n}, {m} Avenue SE"],
        post="A9A 9A9", phone="###-###-####", tax="GST/HST", end=["Ltd.", "Inc.", "Corp.", "Ltée"], tld="ca", iban="CA"),
    "Kenya": dict(
        w=3, cur=["KES {c}", "KSh {c}", "Kshs. {c}", "KSh {k}/="], code="KES", dates=["d/m/Y", "dth B Y", "d B Y"],
        cities="Nairobi Mombasa Kisumu Nakuru Eldoret Thika".split(),
        last="Wanjiru Otieno Kamau Mwangi Achieng Njoroge Kiplagat Mutua".split(),
        first="Grace Peter Faith Joseph Mercy David Esther Samuel".split(),
        streets=["P.O. Box {n}-00100", "{n} Moi Avenue", "{n} Kenyatta Street", "Industrial Area, Road {m}"],
        post="99999", phone="+254 7## ######", tax="VAT", end=["Limited", "Ltd", "Enterprises", "Sacco"], tld="co.ke", iban="KE"),
    "Nigeria": dict(
        w=3, cur=["N{c}", "NGN {c}", "₦{c}", "N{c}k"], code="NGN", dates=["d/m/Y", "dth B, Y", "B d, Y"],
        cities="Lagos Ibadan Abuja Kano Enugu Benin".split(),
        last="Adeyemi Okonkwo Balogun Eze Ibrahim Nwosu Bello Afolabi".split(),
        first="Chinedu Ngozi Tunde Amina Emeka Funke Yusuf Blessing".split(),
        streets=["{n} Allen Avenue", "Plot {n}, Admiralty Way", "{n} Awolowo Road", "{n} Market Street"],
        post="999999", phone="+234 80# ### ####", tax="VAT", end=["Nigeria Ltd", "Limited", "Ventures", "& Sons"], tld="com.ng", iban="NG"),
    "South Africa": dict(
        w=3, cur=["R {s}", "R{c}", "ZAR {c}", "R {c}"], code="ZAR", dates=["Y/m/d", "d B Y", "d/m/Y"],
        cities="Durban Pretoria Bloemfontein Gqeberha Stellenbosch Polokwane Johannesburg".split(),
        last="van der Merwe|Dlamini|Naidoo|Botha|Mokoena|Pillay|Nkosi|Jacobs".split("|"),
        first="Thabo Johan Lerato Anika Sipho Priscilla Zanele Pieter".split(),
        streets=["{n} Long Street", "{n} Voortrekker Road", "Unit {n}, Jacaranda Park", "{n} Nelson Mandela Drive"],
        post="9999", phone="+27 ## ### ####", tax="VAT", end=["(Pty) Ltd", "CC", "Holdings", "Trading"], tld="co.za", iban="ZA"),
    "Singapore": dict(
        w=3, cur=["S${c}", "SGD {c}", "${c}"], code="SGD", dates=["d b Y", "d/m/Y", "d B Y"],
        cities=["Singapore"],
        last="Tan Lim Goh Rajaratnam Wong Koh Hassan Chua".split(),
        first="Wei Ling|Jun Hao|Siti|Kumar|Mei Fong|Adrian|Nurul|Boon Kiat".split("|"),
        streets=["Blk {n} Toa Payoh Lorong {m} #0{m}-{n}", "{n} Jurong East Ave {m}", "{n} Orchard Road", "{n} Tuas Crescent"],
        post="999999", phone="+65 #### ####", tax="GST", end=["Pte Ltd", "Pte. Ltd.", "Trading", "(S) Pte Ltd"], tld="com.sg", iban="SG"),
    "Japan": dict(
        w=3, cur=["¥{k}", "JPY {k}", "{k} yen", "¥ {k}"], code="JPY", dates=["Y/m/d", "B d, Y", "Y-m-d"],
        cities="Osaka Nagoya Sendai Fukuoka Sapporo Kobe Yokohama Tokyo".split(),
        last="Tanaka Yamamoto Kobayashi Ishikawa Mori Saito Fujita".split(),
        first="Haruto Yuki Kenji Aiko Naoko Takashi Emi".split(),
        streets=["{m}-{n}-3 Chuo", "{m}-chome {n}, Minami-ku", "{n} Sakura-dori"],
        post="999-9999", phone="+81 ## #### ####", tax="Consumption tax", end=["K.K.", "Co., Ltd.", "Shoji", "Kogyo"], tld="co.jp", iban="JP"),
    "Sweden": dict(
        w=3, cur=["{s} kr", "SEK {s}", "{s} SEK", "kr {e}"], code="SEK", dates=["Y-m-d", "d B Y", "d/m Y"],
        cities="Uppsala Malmö Göteborg Umeå Västerås Lund Stockholm".split(),
        last="Lindqvist Johansson Bergström Åkesson Nyström Holm Ek".split(),
        first="Astrid Erik Linnea Gustav Karin Björn Elsa".split(),
        streets=["Storgatan {n}", "Kungsvägen {n}", "Skolgatan {n} B"],
        post="999 99", phone="+46 ## ### ## ##", tax="Moms", end=["AB", "Handelsbolag", "& Söner AB"], tld="se", iban="SE"),
    "Poland": dict(
        w=3, cur=["{s} zł", "PLN {c}", "{s} PLN"], code="PLN", dates=["d.m.Y", "Y-m-d", "d B Y"],
        cities="Kraków Gdańsk Poznań Lublin Warszawa Łódź Katowice".split(),
        last="Nowak Wiśniewska Zieliński Kamińska Mazur Dąbrowski Wójcik".split(),
        first="Anna Piotr Magdalena Tomasz Agnieszka Krzysztof Ewa".split(),
        streets=["ul. Lipowa {n}", "al. Jana Pawła II {n}/{m}", "ul. Polna {n}"],
        post="99-999", phone="+48 ### ### ###", tax="VAT", end=["Sp. z o.o.", "S.A.", "s.c."], tld="pl", iban="PL"),
    "Switzerland": dict(
        w=3, cur=["CHF {q}", "CHF {q}", "Fr. {q}", "sFr. {q}"], code="CHF", dates=["d.m.Y", "d. B Y", "d B Y"],
        cities="Zürich Basel Luzern Bern Winterthur Lugano Genève".split(),
        last="Müller Ammann Zgraggen Keller Bernasconi Favre Brunner".split(),
        first="Urs Regula Beat Claudia Reto Monika Laurent".split(),
        streets=["Bahnhofstrasse {n}", "Seeweg {n}", "rue du Lac {n}", "Dorfplatz {n}"],
        post="9999", phone="+41 ## ### ## ##", tax="MWST", end=["AG", "GmbH", "SA", "Sàrl"], tld="ch", iban="CH"),
    "Netherlands": dict(
        w=4, cur=["€ {e}", "EUR {e}", "€{c}"], code="EUR", dates=["d-m-Y", "d B Y", "d/m/Y"],
        cities="Utrecht Eindhoven Groningen Breda Haarlem Rotterdam Amsterdam".split(),
        last="de Vries|Jansen|van Dijk|Bakker|Visser|El Amrani|Mulder|van den Berg".split("|"),
        first="Sanne Pieter Femke Joost Marieke Daan Youssef Anouk".split(),
        streets=["Kerkstraat {n}", "Prinsengracht {n}-II", "Dorpsweg {n}", "Havenkade {n}"],
        post="9999 AA", phone="+31 ## ### ####", tax="BTW", end=["B.V.", "N.V.", "V.O.F."], tld="nl", iban="NL"),
    "Brazil": dict(
        w=2, cur=["R$ {e}", "BRL {c}", "R${e}"], code="BRL", dates=["d/m/Y", "d B Y"],
        cities="Curitiba Recife Campinas Salvador Fortaleza".split(),
        last="Silva Oliveira Souza Pereira Almeida Costa".split(),
        first="João Beatriz Rafael Fernanda Thiago Juliana".split(),
        streets=["Rua das Flores, {n}", "Av. Paulista, {n}", "Rua XV de Novembro, {n}"],
        post="99999-999", phone="+55 ## #####-####", tax="ICMS", end=["Ltda", "S.A.", "ME"], tld="com.br", iban="BR"),
    "United Arab Emirates": dict(
        w=2, cur=["AED {c}", "Dhs. {c}", "{c} AED"], code="AED", dates=["d/m/Y", "d-b-Y", "d B Y"],
        cities="Dubai Sharjah Ajman".split() + ["Abu Dhabi"],
        last="Al Mansoori|Fernandes|Rahman|Haddad|Al Zaabi|D'Souza".split("|"),
        first="Ahmed Fatima Joseph Layla Omar Reem".split(),
        streets=["P.O. Box {n}", "Office {n}, Al Reem Tower", "Warehouse {m}, Al Quoz"],
        post="", phone="+971 4 ### ####", tax="VAT", end=["LLC", "FZE", "Trading LLC", "FZCO"], tld="ae", iban="AE"),
    "New Zealand": dict(
        w=3, cur=["${c}", "NZD {c}", "NZ${c}"], code="NZD", dates=["d B Y", "d/m/Y", "d b Y"],
        cities="Dunedin Hamilton Nelson Tauranga Auckland Napier".split(),
        last="Tamihana Wilson Fraser Ngata Robertson Kereama".split(),
        first="Aroha Craig Mere Stuart Hemi Robyn".split(),
        streets=["{n} Kowhai Street", "{n} Great South Road", "RD {m}, Valley Road"],
        post="9999", phone="+64 # ### ####", tax="GST", end=["Ltd", "Limited", "Trust", "Co-op"], tld="co.nz", iban="NZ"),
    "Philippines": dict(
        w=2, cur=["PHP {c}", "P{c}", "₱{c}", "Php {c}"], code="PHP", dates=["B d, Y", "m/d/Y", "d B Y"],
        cities="Cebu Davao Makati Iloilo Baguio".split(),
        last="Reyes Santos Villanueva dela Cruz|Bautista".replace(" dela Cruz|", " ").split(),
        first="Jose Maricel Rodel Liza Ramon Grace".split(),
        streets=["{n} Rizal Avenue", "Unit {n}, Bonifacio Bldg", "Brgy. San Isidro, Purok {m}"],
        post="9999", phone="+63 9## ### ####", tax="VAT", end=["Inc.", "Corporation", "Enterprises"], tld="ph", iban="PH"),
}

_WEIGHTED = [n for n, v in LOCALES.items() for _ in range(v["w"])]
MONTHS = "January February March April May June July August September October November December".split()

COMPANY_A = """Alder Apex Amber Anchor Arrow Ashgrove Atlas Aurora Beacon Birch Bluebird Bluestone Boulder Bright Brook Canyon Cascade Cedar Central Citadel
City Clearwater Cobalt Comet Compass Copper Coral Crescent Crown Crystal Delta Diamond Dragon Eagle Eastgate Echo Edge Elm Ember Emerald Evergreen Express
Falcon Fern Fieldhouse First Fox Frontier Gateway Global Golden Granite Green Greenfield Grove Harbour Harvest Hawthorn Heritage Hilltop Horizon Ironwood Ivy Jade Juniper
Kestrel Keystone Lakeside Lantern Laurel Liberty Lighthouse Linden Lotus Maple Marble Meadow Mercury Meridian Metro Midland Millstone Mistral Modern Moonlight Mountain
National Nexus Noble Nordic North Northern Nova Oak Oakwood Ocean Olive Omega Onyx Orchid Orion Osprey Pacific Palm Paragon Park Pearl Peak Pine Pioneer Polar
Premier Prime Quartz Quick Rapid Raven Redwood Regent Ridge River Riverside Rose Royal Sable Sapphire Sierra Silver Skyline Smart Solar Southern Sparrow Spring
Spruce Star Sterling Stone Summit Sun Sunrise Swift Thistle Titan Torch Tower Tri Trident Union United Unity Urban Valley Vector Vertex Victoria Vine Vista Wave West
Western Whitestone Wild Willow Windmill Wren Zenith Zephyr""".split()
COMPANY_B = """Accounting Aggregates Agro Analytics Appliances Architects Auto Automation Aviation Bakery Biotech Books Brewery Builders Cafe Capital Care Carpentry Catering Ceramics Chemicals
Civil Cleaning Clinic Clothing Coffee Components Construction Consulting Contractors Controls Couriers Creative Dairy Data Dental Design Diagnostics Digital Distribution Dynamics Electric
Electronics Energy Engineering Events Fabrication Farms Fashion Films Financial Fisheries Fitness Floors Foods Forestry Freight Furniture Garage Gardens Glass Goods Hardware Health Heating Holdings
Homes Hospitality Hotel Hydraulics Imports Industries Instruments Insurance Interiors Investments Joinery Kitchens Labs Landscaping Laundry Leasing Legal Lighting Lines Logistics Machinery
Management Manufacturing Marine Marketing Media Medical Metals Mining Mobility Motors Networks Nurseries Office Optics Organics Outdoor Packaging Paints Paper Pharma Photography Plastics Plumbing
Power Press Print Printing Produce Productions Properties Publishing Recruitment Recycling Refrigeration Rentals Research Resources Restaurant Retail Robotics Roofing Sales School Security
Services Shipping Software Solar Solutions Sports Stationers Steel Storage Studio Supermarket Supplies Supply Surveyors Systems Tech Technologies Telecom Textiles Timber Tools Tours Toys Trading
Training Transport Travel Tyres Utilities Veterinary Ventures Water Wholesale Wines Woodworks Workshop""".split()

PRODUCTS = """office chairs|standing desks|A4 copy paper|ink cartridges|laptop computers|external hard drives|LED panels|copper pipe 15 mm|cement bags 25 kg|steel beams|plywood sheets|roof tiles|
wall paint, white matt|safety helmets|work gloves|hi-vis vests|cable ties|network switches|USB-C docks|wireless keyboards|monitors 27 inch|printer toner|whiteboard markers|filing cabinets|
coffee beans|green tea|wheat flour|olive oil|sunflower oil|basmati rice|fresh salmon fillets|chicken breast|tomatoes|potatoes|apples|bananas|milk|butter|cheddar cheese|eggs|sourdough bread|
red wine|lager kegs|mineral water|orange juice|chocolate bars|cotton T-shirts|denim jackets|leather boots|wool blankets|bed linen sets|bath towels|shampoo|hand soap|detergent|disinfectant|
bin bags|paper towels|plastic cups|cardboard boxes|packing tape|bubble wrap|pallets|stretch film|hydraulic hoses|ball bearings|V-belts|conveyor rollers|gearbox oil|air filters|brake pads|
car tyres|windscreen wipers|spark plugs|truck batteries|bicycle helmets|tennis balls|yoga mats|garden hoses|lawn seed|fertilizer|tulip bulbs|fence panels|garden shears|chainsaw oil|animal feed|
hay bales|horse shoes|dog food|cat litter|fish tanks|surgical gloves|face masks|bandages|syringes|blood pressure monitors|wheelchairs|reading glasses|hearing aid batteries|vitamin tablets|
text books|exercise books|crayons|wooden toys|board games|guitars|violin strings|picture frames|candles|ceramic tiles|bathroom taps|kitchen sinks|washing machine|refrigerator|microwave oven|
kettle|vacuum cleaner|hair dryer|smartphone|phone case|headphones|Bluetooth speaker|television 55 inch|camera lens|memory cards|solar panels|inverter 5 kW|water pump|diesel generator|
circuit breakers|light bulbs|extension leads|door locks|window handles|hinges|wood screws|nails|drill bits|angle grinder|welding rods|sandpaper|aluminium profiles|stainless bolts M8|rubber seals|
PVC granulate|cotton yarn|sewing thread|zips|paper bags|greeting cards|envelopes C5|name badges|banners|flyers|business cards|brochures|desk lamps|sofas|dining tables|mattresses|curtains|carpets""".replace("\n", "").split("|")

SERVICES = """web design|logo design|software development|database migration|IT support|server maintenance|cloud hosting|network installation|security audit|penetration testing|translation|proofreading|
copywriting|photography|video editing|marketing campaign|search engine optimisation|market research|management consulting|tax advice|bookkeeping|audit work|payroll processing|legal advice|notary services|
recruitment|staff training|first aid course|language lessons|piano lessons|window cleaning|office cleaning|carpet cleaning|waste collection|pest control|gardening|tree surgery|lawn mowing|snow clearing|
plumbing repair|boiler service|electrical inspection|roof repair|painting and decorating|plastering|bricklaying|kitchen fitting|flooring|scaffolding hire|crane hire|van rental|car repair|vehicle inspection|
tyre change|towing|courier delivery|freight forwarding|customs clearance|warehousing|removal service|furniture assembly|catering|room hire|event planning|DJ and sound system|wedding flowers|dog grooming|
veterinary check-up|dental cleaning|physiotherapy|massage|hair cut and colour|childcare|tutoring|home nursing|laboratory analysis|soil testing|land survey|architectural drawings|structural calculation|
project management|interior design|printing and binding|machine maintenance|calibration|welding work|CNC milling|powder coating|elevator maintenance|fire alarm inspection|security guards|data entry|call centre services""".replace("\n", "").split("|")

JOBS = """accountant|sales assistant|software engineer|warehouse operative|nurse|teacher|electrician|plumber|truck driver|forklift driver|chef|waiter|receptionist|office manager|project manager|HR officer|
marketing manager|graphic designer|data analyst|lab technician|pharmacist|civil engineer|architect|site foreman|carpenter|welder|machine operator|quality inspector|purchasing clerk|logistics coordinator|
customer service agent|call centre agent|bank clerk|insurance adviser|legal secretary|paralegal|solicitor|journalist|editor|translator|librarian|social worker|care assistant|physiotherapist|dental nurse|
veterinary nurse|farm worker|gardener|cleaner|security guard|caretaker|bus driver|pilot|flight attendant|hotel manager|housekeeper|barista|baker|butcher|hairdresser|store manager|cashier|payroll clerk|
financial controller|business analyst|systems administrator|network engineer|QA tester|product manager|web developer|research assistant|lecturer|school principal|mechanic|electronics technician|surveyor|
estate agent|event coordinator|fitness trainer|kitchen porter|delivery driver|production planner|maintenance engineer|shift supervisor|executive assistant|operations director|sales representative""".replace("\n", "").split("|")

DEPTS = """Accounts|Accounts Payable|Finance|Human Resources|Purchasing|Procurement|Sales|Marketing|Customer Service|Customer Care|Logistics|Warehouse|Production|Quality Assurance|Engineering|IT|Legal|
Administration|Operations|Maintenance|Research and Development|Claims|Billing|Payroll|Facilities|Compliance|Dispatch|Front Office|Kitchen|Radiology|Cardiology|Public Works|Student Services|Housing""".replace("\n", "").split("|")

BANKS_A = "First Union National Mercantile Coastal Highland Meridian Commerce Heritage Provincial Northern Savers Cooperative Farmers City Alliance Trust People's Regional Central Pacific Continental Valley".split()
BANKS_B = ["Bank", "Savings Bank", "Banking Corporation", "Credit Union", "Building Society", "Trust Bank", "Commercial Bank", "Bank plc", "Bank AG", "Cooperative Bank"]

_FILL = re.compile(r"\{(\w+)\}")


class Kit:
    def __init__(self, seed=None, locale=None):
        self.r = random.Random(seed)
        r = self.r
        self.locale = locale or r.choice(_WEIGHTED)
        L = self.L = LOCALES[self.locale]
        self.cur_style = r.choice(L["cur"])
        self.date_style = r.choice(L["dates"])
        self.year = r.choice([1998, 2007, 2011, 2014, 2016, 2017, 2018, 2019, 2020, 2021, 2022, 2023, 2024, 2025, 2026])
        self.pad = r.random() < 0.7
        self.table_style = r.randrange(9)
        self.tax = L["tax"]
        self._base = datetime.date(self.year, r.randint(1, 12), r.randint(1, 28))
        self._clock = r.random() < 0.7

    # choice
    def pick(self, *a):
        if len(a) == 1 and isinstance(a[0], (list, tuple)):
            a = a[0]
        return self.r.choice(a)

    def maybe(self, p=0.5):
        return self.r.random() < p

    def opt(self, p, text):
        return text if self.r.random() < p else ""

    def num(self, lo, hi):
        return self.r.randint(int(lo), int(hi))

    def some(self, items, lo, hi=None):
        items = list(items)
        hi = lo if hi is None else hi
        n = min(len(items), self.r.randint(min(lo, len(items)), min(hi, len(items))))
        return self.r.sample(items, n)

    # people and places
    def first(self):
        return self.r.choice(self.L["first"]) if self.r.random() < 0.8 else self.r.choice(LOCALES[self.r.choice(_WEIGHTED)]["first"])

    def last(self):
        return self.r.choice(self.L["last"]) if self.r.random() < 0.75 else self.r.choice(LOCALES[self.r.choice(_WEIGHTED)]["last"])

    def person(self):
        x = self.r.random()
        f, l = self.first(), self.last()
        if x < 0.80:
            return f"{f} {l}"
        if x < 0.88:
            return f"{f[0]}. {l}"
        if x < 0.94:
            return f"{f} {self.r.choice('ABCDEGHJKLMPRSTW')}. {l}"
        return f"{l}, {f}" if x < 0.96 else f"{f} {l}-{self.last()}".replace("- ", "-")

    def title_person(self):
        return self.r.choice(["Mr", "Mrs", "Ms", "Dr.", "Mr.", "Ms.", "Mrs.", "Miss", "Prof.", "Dr"]) + " " + (self.person() if self.r.random() < 0.6 else self.last())

    def company(self):
        r = self.r
        x = r.random()
        end = r.choice(self.L["end"])
        if x < 0.45:
            return f"{r.choice(COMPANY_A)} {r.choice(COMPANY_B)} {end}"
        if x < 0.58:
            return f"{self.last()} {r.choice(COMPANY_B)} {end}"
        if x < 0.66:
            return f"{self.last()} & {self.last()} {end if not end.startswith(('&', 'e ', 'et ')) else 'Ltd'}"
        if x < 0.74:
            return f"{self.city()} {r.choice(COMPANY_B)}"
        if x < 0.82:
            return f"{r.choice(COMPANY_A)}{r.choice(COMPANY_A).lower()} {end}"
        if x < 0.90:
            return f"{r.choice(COMPANY_A)} {r.choice(COMPANY_B)}"
        if x < 0.95:
            return f"{self.first()}'s {r.choice(COMPANY_B)}"
        return f"{r.choice('ABCDEFGHJKLMNPRSTVW')}{r.choice('ABCDEFGHJKLMNPRSTVW')}{r.choice('CDGKMPST')} {r.choice(COMPANY_B)} {end}"

    def street(self):
        n = self.r.choice([self.r.randint(1, 40), self.r.randint(1, 250), self.r.randint(1, 9999)])
        return self.r.choice(self.L["streets"]).format(n=n, m=self.r.randint(1, 25))

    def city(self):
        return self.r.choice(self.L["cities"])

    def postcode(self):
        p = self.L["post"]
        return "".join(self.r.choice("0123456789") if c == "9" else self.r.choice("ABCDEFGHJKLMNPRSTVWXY") if c == "A" else c for c in p)

    def country(self):
        return self.locale

    def address(self, sep="\n"):
        L, pc = self.L, self.postcode()
        city = self.city()
        if L["code"] in ("EUR", "SEK", "PLN", "CHF") and self.locale != "Ireland":
            line = f"{pc} {city}"
        elif self.locale in ("United States", "Canada"):
            line = f"{city}, {self.r.choice(['OH', 'TX', 'CA', 'NY', 'FL', 'WA', 'IL', 'NC'] if self.locale == 'United States' else ['ON', 'BC', 'AB', 'QC', 'NS'])} {pc}"
        elif self.locale == "India":
            line = f"{city} - {pc}"
        else:
            line = f"{city} {pc}".strip() if self.r.random() < 0.6 else f"{city}{sep}{pc}".strip() if pc else city
        out = [self.street(), line]
        if self.r.random() < 0.2:
            out.append(self.locale)
        return sep.join(out)

    # time
    def _day(self):
        return self._base + datetime.timedelta(days=self.r.randint(-60, 60))

    def _fmt_date(self, d):
        pad = (lambda n: f"{n:02d}") if self.pad else str
        s = self.date_style
        day = d.day
        if s in ("d/m/Y", "m/d/Y", "d.m.Y", "d-m-Y", "m-d-Y", "Y-m-d", "Y/m/d", "d.m.y", "m/d/y"):
            if s[0] == "Y":
                pad = lambda n: f"{n:02d}"
            m = {"d": pad(day), "m": pad(d.month), "Y": str(d.year), "y": f"{d.year % 100:02d}"}
            return "".join(m.get(c, c) for c in s)
        if s == "d/m Y":
            return f"{day}/{d.month} {d.year}"
        B, b = MONTHS[d.month - 1], MONTHS[d.month - 1][:3]
        if s.startswith("dth"):
            suf = "th" if 10 < day < 14 else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")
            return f"{day}{suf} {B}{',' if ',' in s else ''} {d.year}"
        return {"d B Y": f"{day} {B} {d.year}", "d b Y": f"{pad(day)} {b} {d.year}", "d b y": f"{day} {b} {d.year % 100:02d}", "B d, Y": f"{B} {day}, {d.year}",
                "b d, Y": f"{b} {day}, {d.year}", "b. d, Y": f"{b}. {day}, {d.year}", "d. B Y": f"{day}. {B} {d.year}", "d-b-Y": f"{pad(day)}-{b}-{d.year}"}[s]

    def date(self):
        return self._fmt_date(self._day())

    def month_year(self):
        d = self._day()
        return self.r.choice([f"{MONTHS[d.month-1]} {d.year}", f"{MONTHS[d.month-1]} {d.year}", f"{d.month:02d}/{d.year}", f"{MONTHS[d.month-1][:3]} {d.year}", f"{MONTHS[d.month-1][:3]}-{d.year % 100:02d}"])

    def weekday(self):
        return self.r.choice(["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"])

    def time(self):
        h, m = self.r.randint(7, 20), self.r.choice([0, 0, 0, 15, 30, 30, 45, self.r.randint(0, 59)])
        if self._clock:
            return f"{h:02d}:{m:02d}"
        return f"{(h - 1) % 12 + 1}:{m:02d} {'am' if h < 12 else 'pm'}" if self.r.random() < 0.6 else f"{(h - 1) % 12 + 1}.{m:02d}{'am' if h < 12 else 'pm'}"

    # money
    def _value(self, lo, hi):
        v = self.r.uniform(lo, hi)
        x = self.r.random()
        if x < 0.15 and hi > 20:
            v = float(round(v))
        elif x < 0.2 and hi > 500:
            v = float(round(v / 50) * 50) or v
        scale = {"JPY": 100, "INR": 20, "KES": 30, "NGN": 100, "PHP": 15}.get(self.L["code"], 1)
        return v * scale

    def _style(self, v, style):
        c = f"{v:,.2f}"
        if "{c}" in style:
            return style.replace("{c}", c)
        if "{e}" in style:
            return style.replace("{e}", c.replace(",", "~").replace(".", ",").replace("~", "."))
        if "{s}" in style:
            return style.replace("{s}", c.replace(",", " ").replace(".", ","))
        if "{q}" in style:
            return style.replace("{q}", c.replace(",", "'"))
        if "{k}" in style:
            return style.replace("{k}", f"{round(v):,}")
        if "{i}" in style:
            n, f = f"{v:.2f}".split(".")
            if len(n) > 3:
                head, n3 = n[:-3], n[-3:]
                head = re.sub(r"(?<=\d)(?=(\d\d)+$)", ",", head)
                n = head + "," + n3
            return style.replace("{i}", n if "/-" in style else n + "." + f)
        return c

    def money(self, lo=5, hi=5000):
        return self._style(self._value(lo, hi), self.cur_style)

    def amount(self, lo=5, hi=5000):
        m = re.search(r"\{\w\}", self.cur_style).group(0)
        return self._style(self._value(lo, hi), m)

    def currency(self):
        return self.L["code"]

    def percent(self, lo=1, hi=30):
        v = self.r.uniform(lo, hi)
        s = self.r.choice([f"{v:.0f}", f"{v:.1f}", f"{v:.2f}"])
        if "{e}" in self.cur_style or "{s}" in self.cur_style:
            s = s.replace(".", ",")
        return s + self.r.choice(["%", "%", " %"])

    # references
    def ref(self, *prefixes):
        r = self.r
        p = r.choice(prefixes) if prefixes else r.choice(["", "", "A", "K", "R", "N", "ZX", "MB", "DK"])
        n = r.choice([r.randint(100, 9999), r.randint(10000, 999999), r.randint(1000000, 99999999)])
        x = r.random()
        if x < 0.35:
            return f"{p}-{n}" if p else str(n)
        if x < 0.5:
            return f"{p}{n}"
        if x < 0.65:
            return f"{p} {n}/{self.year}" if p else f"{n}/{self.year}"
        if x < 0.8:
            return f"{p}-{self.year}-{n % 100000:04d}" if p else f"{self.year}-{n % 10000:04d}"
        if x < 0.9:
            return f"{p}/{self.year % 100:02d}/{n % 100000}" if p else f"{n % 1000}/{self.year % 100:02d}-{r.randint(1, 99)}"
        return f"{p} {n}".strip()

    def _slug(self, s):
        s = s.lower()
        for a, b in zip("äöüßéèàáíóúñåøłńśźżąęćçôêěÉ", "aousseeaaiounaolnszzaeccoee"):
            s = s.replace(a, b)
        return re.sub(r"[^a-z0-9]+", "", s)

    def email(self):
        f, l = self._slug(self.first()), self._slug(self.last())
        dom = self._slug(self.r.choice(COMPANY_A) + self.r.choice(["", self.r.choice(COMPANY_B)])) + self.r.choice([".example", ".example", "." + self.L["tld"], ".com", ".org"])
        x = self.r.random()
        user = f"{f}.{l}" if x < 0.4 else f"{f[:1]}{l}" if x < 0.6 else self.r.choice(["info", "office", "accounts", "billing", "hr", "support", "sales", "contact", "service", "noreply", "hello", "admin", "orders", "claims"]) if x < 0.9 else f"{f}{self.num(1, 99)}"
        return f"{user}@{dom}"

    def phone(self):
        return "".join(self.r.choice("0123456789") if c == "#" else c for c in self.L["phone"])

    def iban(self):
        r = self.r
        if self.L["iban"] in ("US", "CA", "IN", "AU", "NZ", "KE", "NG", "ZA", "SG", "JP", "PH"):
            return "".join(r.choice("0123456789") for _ in range(r.randint(8, 12)))
        d = "".join(r.choice("0123456789") for _ in range(r.choice([14, 16, 18])))
        s = f"{self.L['iban']}{r.randint(10, 98)}{d}"
        return " ".join(s[i:i + 4] for i in range(0, len(s), 4)) if r.random() < 0.7 else s

    def url(self):
        return self.r.choice(["www.", "https://", "http://www.", ""]) + self._slug(self.r.choice(COMPANY_A) + self.r.choice(COMPANY_B)) + self.r.choice([".example", "." + self.L["tld"], ".com"]) + self.r.choice(["", "", "/login", "/pay", "/help", "/contact", "/account"])

    # words
    def product(self):
        return self.r.choice(PRODUCTS).strip()

    def service(self):
        return self.r.choice(SERVICES).strip()

    def job_title(self):
        j = self.r.choice(JOBS).strip()
        x = self.r.random()
        if x < 0.12:
            j = self.r.choice(["senior ", "junior ", "assistant ", "head ", "lead ", "trainee ", "part-time ", "deputy "]) + j
        return j if self.r.random() < 0.35 else j.title().replace("Hr ", "HR ").replace("Qa ", "QA ")

    def department(self):
        return self.r.choice(DEPTS).strip()

    def bank(self):
        return f"{self.r.choice(BANKS_A)} {self.r.choice(BANKS_B)}" if self.r.random() < 0.8 else f"{self.city()} {self.r.choice(BANKS_B)}"

    # assembly
    def lines(self, *parts):
        if len(parts) == 1 and isinstance(parts[0], (list, tuple)):
            parts = parts[0]
        return "\n".join(str(p) for p in parts if p)

    def para(self, *sentences):
        if len(sentences) == 1 and isinstance(sentences[0], (list, tuple)):
            sentences = sentences[0]
        return " ".join(str(s) for s in sentences if s)

    def table(self, headers, rows):
        headers = [str(h) for h in headers] if headers else []
        rows = [[str(c) for c in row] for row in rows]
        style = self.table_style
        every = ([headers] if headers else []) + rows
        if not every:
            return ""
        n = max(len(x) for x in every)
        every = [x + [""] * (n - len(x)) for x in every]
        w = [max(len(x[i]) for x in every) for i in range(n)]
        num = [all(re.search(r"\d", x[i]) or not x[i] for x in every[1 if headers else 0:]) and len(rows) > 0 for i in range(n)]

        def row(x, gap):
            return gap.join(x[i].rjust(w[i]) if num[i] else x[i].ljust(w[i]) for i in range(n)).rstrip()
        if style == 0:                       # padded columns
            return "\n".join(row(x, "  ") for x in every)
        if style == 1:                       # padded, rule under the head
            out = [row(x, "  ") for x in every]
            if headers:
                out.insert(1, "-" * max(len(o) for o in out))
            return "\n".join(out)
        if style == 2:                       # pipes
            out = ["| " + " | ".join(x[i].ljust(w[i]) for i in range(n)) + " |" for x in every]
            if headers:
                out.insert(1, "|" + "|".join("-" * (w[i] + 2) for i in range(n)) + "|")
            return "\n".join(out)
        if style == 3:                       # single spaces, as a scan gives it
            return "\n".join(" ".join(c for c in x if c) for x in every)
        if style == 4:                       # tabs
            return "\n".join("\t".join(x).rstrip() for x in every)
        if style == 5:                       # a cell a line
            return "\n".join(c for x in every for c in x if c)
        if style == 6 and headers:           # field: value
            return "\n".join("; ".join(f"{h}: {c}" for h, c in zip(every[0], x) if c) for x in every[1:])
        if style == 7:                       # dots
            return "\n".join((x[0] + " " + "." * max(3, 32 - len(x[0])) + " " + "  ".join(c for c in x[1:] if c)).rstrip() for x in every)
        return "\n".join(" | ".join(x).rstrip(" |") for x in every)

    def fill(self, template):
        def one(m):
            k = m.group(1)
            f = {"person": self.person, "company": self.company, "date": self.date, "money": self.money, "ref": self.ref, "city": self.city, "product": self.product,
                 "service": self.service, "email": self.email, "phone": self.phone, "street": self.street, "address": lambda: self.address(", "), "month": self.month_year,
                 "num": lambda: str(self.num(2, 60)), "dept": self.department, "department": self.department, "job": self.job_title, "time": self.time, "bank": self.bank,
                 "first": self.first, "last": self.last, "title_person": self.title_person, "postcode": self.postcode, "country": self.country, "weekday": self.weekday,
                 "percent": self.percent, "iban": self.iban, "url": self.url, "currency": self.currency, "tax": lambda: self.tax, "amount": self.amount,
                 "job_title": self.job_title, "month_year": self.month_year, "year": lambda: str(self.year)}.get(k)
            return str(f()) if f else m.group(0)
        return _FILL.sub(one, template)
