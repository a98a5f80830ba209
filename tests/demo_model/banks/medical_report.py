"""Medical reports: discharge summaries, imaging, laboratory, consultation letters, nursing, dental, veterinary-like notes."""

ALIASES = ["medical_report", "Medical Report", "discharge summary", "doctor's letter", "clinical report", "patient report", "Medical record", "radiology report", "lab_report", "physician letter",
           "Hospital report", "health record", "medical findings", "MEDICAL_REPORT", "clinic letter", "consultation note", "Doctor's report on a patient", "medical"]

DESCRIPTIONS = ["a doctor's findings, diagnosis and treatment of a patient", "describes the state of health of a patient and what was done", "hospital discharge letter, laboratory result or imaging report",
                "clinical history, examination, diagnosis and medication", "letter from a physician to another about a patient", "results of an examination or operation",
                "a report written by medical staff about a patient", "medical certificate, scan report, blood results or therapy report", "what is wrong with the patient and how it is treated"]

GAP = " "


def f(k, lst):
    return k.fill(k.pick(lst))


def fs(k, lst, a, b):
    return [k.fill(x) for x in k.some(lst, a, b)]


# complaint, history, examination, diagnosis, treatment, advice
CASES = [
    (["chest pain on exertion", "tightness in the chest", "palpitations and shortness of breath"], ["The pain radiates to the left arm and settles with rest.", "There is a family history of heart disease.", "He smokes a pack a day and has high blood pressure."],
     ["Blood pressure 155/95, pulse 88 regular, no murmurs.", "ECG shows sinus rhythm with ST depression in V4 to V6.", "Ejection fraction 48 per cent on echocardiogram.", "Troponin was slightly raised."], ["stable angina", "non-ST elevation myocardial infarction", "atrial fibrillation", "hypertensive heart disease", "mild mitral regurgitation"],
     ["aspirin 100 mg daily", "bisoprolol 2.5 mg", "atorvastatin 40 mg at night", "coronary angiography with one stent", "ramipril 5 mg"], ["stop smoking", "cardiac rehabilitation", "review in the cardiology clinic", "low salt diet"]),
    (["knee pain and swelling", "locking of the right knee", "pain after a fall on the left hip"], ["The patient twisted the joint playing football.", "She fell from a ladder at home.", "The pain has grown worse over several months."],
     ["Effusion present, range of motion limited to 90 degrees.", "Lachman test positive.", "X-ray shows a fracture of the neck of femur.", "MRI demonstrates a tear of the posterior horn of the medial meniscus.", "Joint space is narrowed with osteophytes."], ["meniscus tear", "osteoarthritis of the knee", "fracture of the distal radius", "anterior cruciate ligament rupture", "hip fracture", "ankle sprain"],
     ["arthroscopy and partial meniscectomy", "plaster cast for six weeks", "total hip replacement", "ibuprofen 400 mg three times a day", "physiotherapy twice weekly"], ["partial weight bearing on crutches", "removal of stitches after 12 days", "elevate the leg", "no sports for three months"]),
    (["cough and fever", "shortness of breath for a week", "wheezing at night"], ["Productive cough with yellow sputum for five days.", "He has a history of asthma since childhood.", "No recent travel, no contact with tuberculosis."],
     ["Temperature 38.9, respiratory rate 24, oxygen saturation 93% on air.", "Crackles at the right base.", "Chest X-ray shows consolidation in the right lower lobe.", "CRP 142, white cells 15.3.", "Spirometry shows an obstructive pattern."], ["community acquired pneumonia", "acute bronchitis", "exacerbation of COPD", "asthma", "pleural effusion", "pulmonary tuberculosis", "influenza"],
     ["amoxicillin 1 g three times a day", "salbutamol inhaler as needed", "oxygen 2 litres by nasal cannula", "prednisolone 40 mg for five days", "intravenous ceftriaxone"], ["repeat chest X-ray in six weeks", "rest and plenty of fluids", "flu vaccination in autumn", "use the inhaler with a spacer"]),
    (["abdominal pain and vomiting", "heartburn after meals", "blood in the stool", "jaundice and dark urine"], ["Pain began around the navel and moved to the right lower quadrant.", "He has lost four kilos in two months.", "Symptoms are worse after fatty food."],
     ["Abdomen soft, tender in the right iliac fossa with guarding.", "Ultrasound shows several stones in the gall bladder.", "Gastroscopy revealed erosions of the antrum.", "Colonoscopy: two polyps removed from the sigmoid colon.", "Bilirubin 64, ALT 210."], ["acute appendicitis", "gallstones", "gastritis", "colonic polyps", "reflux oesophagitis", "hepatitis A", "irritable bowel syndrome", "diverticulitis"],
     ["laparoscopic appendectomy", "laparoscopic cholecystectomy", "omeprazole 20 mg before breakfast", "intravenous fluids", "metronidazole"], ["light diet for a week", "avoid alcohol and fatty meals", "follow-up colonoscopy in three years", "no heavy lifting for four weeks"]),
    (["raised blood sugar", "tiredness and thirst", "weight gain and feeling cold"], ["Known type 2 diabetic for nine years, tablets only.", "She reports passing more urine than usual.", "Her mother had thyroid disease."],
     ["HbA1c 8.9 %, fasting glucose 11.2 mmol/l.", "TSH 9.8, free T4 low.", "Body mass index 31.", "Reduced vibration sense in both feet.", "Creatinine 98, no protein in the urine."], ["type 2 diabetes mellitus, poorly controlled", "hypothyroidism", "metabolic syndrome", "gestational diabetes", "iron deficiency anaemia", "vitamin D deficiency"],
     ["metformin 1000 mg twice daily", "levothyroxine 50 micrograms", "insulin glargine 12 units at bedtime", "ferrous sulphate", "vitamin D drops"], ["diet advice and daily walking", "check HbA1c in three months", "yearly eye examination", "foot care"]),
    (["headache and blurred vision", "weakness of the left arm", "dizziness and ringing in the ear", "a first seizure"], ["Sudden onset while having breakfast.", "Attacks of one-sided headache with nausea twice a month.", "Witnesses report shaking of all limbs for two minutes."],
     ["Cranial nerves intact, left arm power 3/5.", "CT of the head shows no bleeding.", "MRI brain: small infarct in the right middle cerebral artery territory.", "EEG without epileptic activity.", "Romberg test unsteady."], ["ischaemic stroke", "migraine without aura", "transient ischaemic attack", "epilepsy", "benign positional vertigo", "concussion", "Parkinson's disease"],
     ["clopidogrel 75 mg", "sumatriptan 50 mg at onset", "levetiracetam 500 mg twice daily", "speech therapy", "thrombolysis"], ["no driving for six months", "headache diary", "neurology follow-up", "occupational therapy"]),
    (["low mood and poor sleep", "anxiety and panic attacks", "memory loss noted by the family"], ["Symptoms began after the loss of his job.", "She wakes at three in the morning and cannot sleep again.", "No thoughts of self-harm."],
     ["Oriented in time and place, affect flat.", "Mini mental state 23 of 30.", "PHQ-9 score 17.", "Speech coherent, good eye contact."], ["moderate depressive episode", "generalised anxiety disorder", "burn-out", "mild cognitive impairment", "adjustment disorder", "insomnia"],
     ["sertraline 50 mg in the morning", "cognitive behavioural therapy", "group sessions", "mirtazapine 15 mg at night"], ["sick leave for four weeks", "sleep hygiene", "contact the crisis line if worse", "memory clinic review"]),
    (["a rash on both arms", "a mole that has changed", "itching", "a wound that does not heal"], ["The lesion has grown and bled in recent weeks.", "He works with cement and detergents.", "No new medicines."],
     ["Irregular pigmented lesion 9 mm on the back.", "Scaly red plaques on elbows and knees.", "Wound 3 x 2 cm with clean edges.", "Histology: basal cell carcinoma, margins clear."], ["contact dermatitis", "psoriasis", "basal cell carcinoma", "infected ulcer of the leg", "scabies", "shingles", "urticaria"],
     ["excision under local anaesthetic", "hydrocortisone cream twice daily", "compression bandage", "permethrin cream", "aciclovir tablets"], ["sun protection", "dressing change every second day", "skin check once a year", "avoid the trigger"]),
    (["pregnancy check", "irregular periods", "lower abdominal pain in early pregnancy"], ["Gravida 2, para 1, last period on {date}.", "The pregnancy has been normal so far.", "Previous caesarean section."],
     ["Ultrasound: single live fetus, 21 weeks, placenta posterior.", "Fetal heart rate 142.", "Cervix closed, no bleeding.", "Haemoglobin 10.8."], ["normal pregnancy", "pre-eclampsia", "uterine fibroids", "polycystic ovary syndrome", "spontaneous vaginal delivery of a healthy girl"],
     ["folic acid 400 micrograms", "iron tablets", "elective caesarean section", "labetalol 100 mg"], ["next scan at 32 weeks", "rest, no heavy work", "glucose tolerance test", "breast feeding support"]),
    (["back pain going down the leg", "neck stiffness", "numb fingers at night"], ["Pain since lifting a heavy box.", "Sits at a computer for most of the day.", "Works as a bricklayer."],
     ["Straight leg raise positive at 40 degrees on the left.", "MRI shows disc prolapse L5/S1 with root contact.", "Tinel's sign positive.", "Nerve conduction delayed at the wrist."], ["lumbar disc herniation", "carpal tunnel syndrome", "cervical spondylosis", "sciatica", "muscle strain", "shoulder impingement", "tennis elbow"],
     ["diclofenac 50 mg", "physiotherapy and exercises", "wrist splint at night", "epidural injection", "heat therapy"], ["avoid lifting more than 5 kg", "ergonomic desk", "return if bladder problems occur", "off work for two weeks"]),
    (["fever and headache after a stay in the tropics", "diarrhoea for three days", "a child with earache", "sore throat"], ["The child has been pulling at the ear and will not eat.", "Returned from a trip {num} days ago.", "Other members of the family are ill as well."],
     ["Malaria smear positive for Plasmodium falciparum.", "Eardrum red and bulging.", "Tonsils enlarged with white coating.", "Dry lips, skin turgor reduced.", "Platelets 64,000, NS1 antigen positive."], ["malaria", "dengue fever", "otitis media", "tonsillitis", "gastroenteritis", "typhoid fever", "chickenpox", "urinary tract infection"],
     ["artemether-lumefantrine for three days", "paracetamol syrup", "oral rehydration salts", "nitrofurantoin 100 mg", "penicillin V"], ["return if fever persists", "hand washing", "keep home from school", "use a mosquito net"]),
    (["blurred sight in the right eye", "toothache", "hearing loss", "blocked nose"], ["Wears glasses for reading.", "Last dental visit two years ago.", "Exposed to noise at work for many years."],
     ["Visual acuity right 0.4, left 0.9.", "Intraocular pressure 24 mmHg.", "Deep caries in tooth 36, tender to percussion.", "Audiogram: high frequency loss on both sides.", "Septum deviated to the left."], ["cataract", "glaucoma", "pulpitis of tooth 36", "noise induced hearing loss", "chronic sinusitis", "dry eyes", "gum disease"],
     ["phacoemulsification with lens implant", "timolol eye drops", "root canal treatment", "hearing aid fitting", "nasal steroid spray"], ["wear eye shield at night", "control in one week", "clean between the teeth every day", "ear protection"]),
    (["blood in the urine", "swollen legs", "pain in the flank"], ["Known kidney stones.", "Blood pressure tablets for ten years.", "He gets up four times a night."],
     ["CT shows a 6 mm stone in the left ureter.", "Creatinine 212, eGFR 29.", "PSA 6.2, prostate enlarged.", "Urine dipstick: blood +++."], ["ureteric stone", "chronic kidney disease stage 4", "benign prostatic hyperplasia", "nephrotic syndrome", "bladder tumour"],
     ["tamsulosin 0.4 mg", "ureteroscopy with stent", "furosemide 40 mg", "dialysis three times a week", "transurethral resection"], ["drink two litres a day", "kidney diet", "stent removal in two weeks", "avoid anti-inflammatory tablets"]),
    (["a lump in the breast", "swollen glands", "follow-up after chemotherapy"], ["The lump was found during screening.", "Night sweats and weight loss.", "Third cycle was tolerated with mild nausea."],
     ["Firm mass 2 cm in the upper outer quadrant.", "Biopsy: invasive ductal carcinoma grade 2, ER positive.", "PET-CT shows no distant spread.", "Neutrophils 1.1."], ["breast carcinoma T1 N0", "Hodgkin lymphoma", "benign fibroadenoma", "prostate cancer", "thyroid nodule"],
     ["lumpectomy with sentinel node biopsy", "radiotherapy 25 fractions", "tamoxifen 20 mg", "chemotherapy cycle 4", "watchful waiting"], ["tumour board discussion", "mammogram once a year", "oncology nurse contact", "report fever at once"]),
]
HOSP = ["{city} General Hospital", "St. Mary's Hospital, {city}", "{city} Medical Centre", "University Hospital {city}", "Klinikum {city}", "Dr. {last} Family Practice", "{last} Clinic", "District Hospital {city}", "{city} Polyclinic", "Sacred Heart Mission Hospital", "{last} Diagnostics and Imaging", "Riverside Surgery", "{city} Children's Hospital", "Centre Hospitalier de {city}"]
WARD = ["Department of Internal Medicine", "Cardiology", "Orthopaedics and Trauma", "Ward 7B", "Radiology", "General Surgery", "Neurology", "Emergency Department", "Paediatrics", "Gynaecology and Obstetrics", "Outpatient Clinic", "ENT", "Oncology", "Respiratory Medicine", "Eye Clinic"]
PAST = ["Appendectomy in childhood.", "Hypertension.", "No known allergies.", "Allergic to penicillin.", "Non-smoker, alcohol on occasion.", "Type 2 diabetes.", "Hay fever.", "Former smoker, 20 pack years.", "Previous surgery: hernia repair.", "No regular medication.", "Lives alone, retired.", "Married, two children, works as {job}.", "Vaccinations up to date.", "Family history unremarkable.", "Mother had breast cancer.", "Works night shifts."]
GEN = ["The patient is alert and in good general condition.", "Well nourished, no distress.", "Heart sounds normal, lungs clear.", "Abdomen soft, no masses.", "No focal neurological deficit.", "No oedema.", "Skin warm and dry.", "Blood pressure 132/84, pulse 74.", "Weight {num} kg.", "Afebrile.", "Pupils equal and reactive.", "Mucous membranes pale.", "Lymph nodes not enlarged.", "BP 118/76 mmHg, HR 68/min, SpO2 98 %, temp 36.7."]
COURSE = ["The course was uneventful.", "The wound healed well without signs of infection.", "Fever settled within two days of treatment.", "The patient was mobilised on the second day.", "Symptoms improved steadily.", "Laboratory values returned to normal.", "Pain was well controlled.", "The patient was transferred to the ward after one night in intensive care.", "We discharged the patient home in stable condition.", "The patient tolerated the treatment well.", "A short episode of confusion resolved on its own.", "One unit of blood was given.", "Discharged against advice after signing a form."]
CLOSE = ["Please do not hesitate to call us with any questions.", "Thank you for referring this pleasant patient.", "We will see the patient again in {num} weeks.", "Many thanks for your kind referral.", "With kind regards from the team.", "Please repeat the blood tests with the family doctor.", "I would be grateful if you could continue the treatment.", "No further appointments are needed.", "A copy of this letter has been given to the patient.", "The hospital invoice is sent separately to the health insurer.", "A sick note for the employer was issued.", "The insurer has approved the stay."]


def place(k):
    return k.pick(HOSP).replace("{city}", k.city()).replace("{last}", k.last())


def doc(k):
    return k.pick(k.title_person(), "Dr " + k.last(), k.person() + k.pick(", MD", ", MBBS", ", consultant", ", FRCS", ", registrar", ", specialist in internal medicine"))


def case(k):
    c = k.pick(CASES)
    return {"cc": k.pick(c[0]), "hx": [k.fill(x) for x in c[1]], "ex": list(c[2]), "dx": k.some(c[3], 1, 2), "rx": k.some(c[4], 1, 3), "adv": k.some(c[5], 1, 3)}


def pid(k):
    return k.ref("MRN", "PID", "H", "UHID", "NHS", "P")


def age(k):
    return k.pick("%d-year-old" % k.num(3, 92), "%d year old" % k.num(18, 90))


def sex(k):
    return k.pick("man", "woman", "patient", "lady", "gentleman")


def ptline(k):
    p = k.person()
    return k.pick("Patient: %s, born %s" % (p, k.date()), "Re: %s, DOB %s" % (p, k.date()), "Name: %s   Age/Sex: %d/%s   ID: %s" % (p, k.num(1, 92), k.pick("M", "F"), pid(k)), "Pt: %s (%d %s) %s" % (p, k.num(18, 90), k.pick("M", "F"), pid(k)), "Patient name %s\nDate of birth %s\nHospital no. %s" % (p, k.date(), pid(k)), "RE: %s, %s" % (p, k.address(", ")))


def layout_discharge(k):
    c = case(k)
    S = [(k.pick("Diagnosis", "Diagnoses", "Final diagnosis", "Discharge diagnosis"), "; ".join(c["dx"])), (k.pick("History", "Presenting complaint", "Reason for admission"), k.para("Admitted with %s." % c["cc"], k.pick(c["hx"]))), (k.pick("Past medical history", "Previous illnesses", "Background"), " ".join(fs(k, PAST, 1, 4))),
         (k.pick("On examination", "Physical findings", "Examination"), " ".join(fs(k, GEN, 1, 4)) + " " + " ".join(k.some(c["ex"], 1, 2))), (k.pick("Investigations", "Results", "Tests"), " ".join(k.some(c["ex"], 1, 3))), (k.pick("Treatment", "Procedure", "Therapy", "Hospital course"), "; ".join(c["rx"]) + ". " + " ".join(fs(k, COURSE, 1, 4))),
         (k.pick("Medication on discharge", "Take home medicines", "Current medication"), "\n".join(k.pick("- ", "* ", "") + x for x in c["rx"] + k.some(["paracetamol 500 mg when needed", "pantoprazole 40 mg", "amlodipine 5 mg", "enoxaparin 40 mg for 10 days", "vitamin B complex"], 0, 2))), (k.pick("Plan", "Recommendations", "Advice", "Follow-up"), "; ".join(c["adv"]) + ". " + f(k, CLOSE))]
    keep = sorted(k.r.sample(range(len(S)), k.num(4, len(S))))
    j = k.pick("\n", ": ", ":\n")
    return k.lines(k.opt(0.8, place(k)), k.opt(0.6, k.pick(WARD)), k.opt(0.6, k.pick("DISCHARGE SUMMARY", "Medical report", "Discharge letter", "Clinical summary", "Epicrisis", "Hospital discharge report")), GAP, ptline(k), k.opt(0.7, "Admitted: %s   Discharged: %s" % (k.date(), k.date())), k.opt(0.5, "Consultant: " + doc(k)), GAP, "\n\n".join(S[i][0] + j + S[i][1] for i in keep), GAP, doc(k))


def layout_gp_letter(k):
    c = case(k)
    return k.lines(k.opt(0.6, place(k) + "\n" + k.address()), k.opt(0.25, k.pick("Medical Report", "MEDICAL REPORT", "Report on your patient")), k.opt(0.5, k.date()), GAP, k.opt(0.6, k.title_person() + "\n" + k.address()), GAP, k.pick("Dear Colleague,", "Dear Dr %s," % k.last(), "Dear Doctor,", "Esteemed colleague,"), GAP, k.opt(0.7, ptline(k)), GAP,
                   k.para(f(k, ["Thank you for sending this ", "I saw this ", "I had the pleasure of reviewing this ", "We report on this "]) + age(k) + " " + sex(k) + f(k, [" in my clinic on {date}", " who presented", " who was seen today", " in the outpatient department"]) + " with %s." % c["cc"], *c["hx"][:k.num(1, 3)]), GAP, " ".join(fs(k, PAST, 0, 3)), " ".join(fs(k, GEN, 1, 3) + k.some(c["ex"], 1, 3)), GAP,
                   k.pick("My impression is %s.", "Findings are in keeping with %s.", "I believe this is %s.", "The most likely diagnosis is %s.", "Overall the picture is that of %s.") % " and ".join(c["dx"]) + " " + k.pick("I have started %s.", "I suggest %s.", "Treatment: %s.", "We agreed on %s.") % ", ".join(c["rx"]) + " " + k.pick("I also advised: %s.", "In addition %s.", "The patient was told: %s.") % ", ".join(c["adv"]), GAP, f(k, CLOSE), GAP, k.pick("Yours sincerely,", "With best wishes,", "Kind regards", "With collegial greetings"), doc(k))


IMG = [("X-ray of the chest", ["Heart size normal.", "Lungs clear, no focal consolidation.", "No pleural effusion or pneumothorax.", "Opacity in the right lower zone.", "Old healed rib fractures on the left.", "Hilar shadows are not enlarged."], ["No acute abnormality.", "Findings suggest pneumonia, follow-up advised.", "Mild cardiomegaly."]),
       ("MRI of the lumbar spine", ["Vertebral heights are preserved.", "Disc desiccation at L4/5 and L5/S1.", "Broad-based disc bulge touching the left S1 root.", "Spinal canal of normal width.", "No marrow signal change.", "Facet joints show mild arthrosis."], ["Disc herniation L5/S1 left.", "Degenerative changes without nerve compression."]),
       ("CT scan of the head without contrast", ["No intracranial haemorrhage.", "Ventricles and sulci are normal for age.", "No midline shift.", "Grey-white differentiation preserved.", "Sinuses are clear.", "Small old lacunar infarct in the left basal ganglia."], ["No acute intracranial pathology.", "Chronic small vessel disease."]),
       ("Ultrasound of the abdomen", ["Liver of normal size with raised echogenicity.", "Gall bladder contains several stones up to 12 mm.", "Common duct not dilated.", "Kidneys normal, no hydronephrosis.", "Spleen not enlarged.", "No free fluid."], ["Fatty liver grade 1.", "Gallstones without inflammation.", "Normal study."]),
       ("MRI of the right knee", ["Tear in the posterior horn of the medial meniscus.", "Cruciate ligaments intact.", "Small joint effusion.", "Cartilage thinning of the patella grade II.", "Baker's cyst 3 cm.", "Bone bruise of the lateral condyle."], ["Medial meniscus tear.", "Chondromalacia patellae."]),
       ("Mammography of both breasts", ["Scattered fibroglandular tissue.", "No suspicious mass or calcification.", "Round well-defined density 8 mm in the left breast.", "Axillary nodes normal."], ["BI-RADS 2, benign.", "BI-RADS 3, control in six months."]),
       ("Echocardiography", ["Left ventricle of normal size, ejection fraction 60 %.", "Mild mitral regurgitation.", "No pericardial effusion.", "Aortic valve trileaflet, opens well.", "Left atrium slightly dilated."], ["Good systolic function.", "Diastolic dysfunction grade I."]),
       ("X-ray of the left wrist, two views", ["Transverse fracture of the distal radius with dorsal tilt.", "Ulnar styloid intact.", "No dislocation.", "Soft tissue swelling.", "Normal bone density."], ["Colles fracture.", "No fracture seen."]),
       ("Colonoscopy", ["Scope passed to the caecum.", "Bowel preparation good.", "Sessile polyp 6 mm in the sigmoid, removed with snare.", "A few diverticula.", "Mucosa otherwise normal.", "Internal haemorrhoids."], ["Polyp removed, histology awaited.", "Diverticulosis."])]


def layout_imaging(k):
    t, find, imp = k.pick(IMG)
    n = min(len(find), k.num(3, 6))
    fd = k.some(find, n, n)
    return k.lines(k.opt(0.6, place(k)), k.opt(0.6, k.pick("Medical imaging report", "RADIOLOGY REPORT", "Imaging report", "Department of Radiology", "Diagnostic imaging")), ptline(k), k.opt(0.6, "Referred by: " + doc(k)), k.opt(0.5, "Exam date: " + k.date()), GAP, k.pick("Examination: ", "Study: ", "") + t, k.opt(0.6, k.pick("Clinical details: ", "Indication: ", "Question: ") + case(k)["cc"]), k.opt(0.3, "Technique: " + k.pick("standard protocol", "axial and sagittal sequences", "contrast 80 ml i.v.", "compared with the study of " + k.date())), GAP,
                   k.pick("Findings", "Report", "Description") + ":", " ".join(fd) if k.maybe(0.6) else "\n".join(fd), GAP, k.pick("Impression", "Conclusion", "Opinion", "Assessment") + ": " + k.pick(imp), k.opt(0.7, doc(k) + k.opt(0.6, ", radiologist")))


LABS = [("Haemoglobin", "g/dl", 90, 170, "13.0-17.0", 10), ("White cells", "10^9/l", 30, 180, "4.0-11.0", 10), ("Platelets", "10^9/l", 80, 450, "150-400", 1), ("Creatinine", "umol/l", 50, 240, "60-105", 1), ("Glucose (fasting)", "mmol/l", 40, 160, "3.9-5.6", 10), ("Total cholesterol", "mg/dl", 130, 310, "< 200", 1), ("HDL", "mg/dl", 28, 90, "> 40", 1), ("LDL", "mg/dl", 60, 210, "< 130", 1),
        ("Triglycerides", "mg/dl", 60, 400, "< 150", 1), ("ALT (SGPT)", "U/l", 10, 220, "< 45", 1), ("AST (SGOT)", "U/l", 10, 180, "< 40", 1), ("Bilirubin", "umol/l", 4, 90, "3-21", 1), ("TSH", "mIU/l", 1, 98, "0.4-4.0", 10), ("HbA1c", "%", 48, 110, "4.0-5.6", 10), ("CRP", "mg/l", 1, 200, "< 5", 1), ("Sodium", "mmol/l", 126, 148, "135-145", 1), ("Potassium", "mmol/l", 28, 58, "3.5-5.1", 10),
        ("Ferritin", "ng/ml", 5, 400, "30-300", 1), ("Vitamin D", "ng/ml", 8, 70, "30-100", 1), ("Uric acid", "mg/dl", 30, 98, "3.5-7.2", 10), ("ESR", "mm/h", 2, 90, "< 20", 1), ("PSA", "ng/ml", 1, 98, "< 4.0", 10), ("Urea", "mg/dl", 12, 110, "17-43", 1)]


def layout_lab(k):
    rows = []
    for nme, unit, lo, hi, ref, div in k.some(LABS, 4, 14):
        v = k.num(lo, hi)
        rows.append([nme, ("%.1f" % (v / 10)) if div == 10 else str(v), unit, ref, k.pick("", "", "", "H", "L", "*")])
    return k.lines(k.opt(0.7, k.pick(place(k), k.last() + " Pathology Laboratory", k.city() + " Diagnostics Ltd", "Labor Dr. " + k.last())), k.opt(0.6, k.pick("LABORATORY REPORT", "Blood test results", "Pathology report", "Biochemistry and haematology", "Results of your blood test")), ptline(k), k.opt(0.6, "Ref. by: " + doc(k)), k.opt(0.7, k.pick("Sample: ", "Specimen: ") + k.pick("venous blood", "serum", "EDTA blood, serum", "urine", "fasting blood") + "   Collected: " + k.date() + k.opt(0.5, " " + k.time())), GAP,
                   k.table([k.pick("Test", "Parameter", "Analyte", "Investigation"), k.pick("Result", "Value", "Observed"), "Unit", k.pick("Reference", "Normal range", "Ref. interval"), ""], rows), GAP, k.opt(0.7, f(k, ["Comment: values outside the range are marked.", "Interpretation: mild anaemia, please check iron.", "Please correlate clinically.", "Remark: sample slightly haemolysed.", "Findings suggest poor control of blood sugar.", "Lipids raised, diet advised.", "No growth after 48 hours.", "Urine culture: E. coli, sensitive to nitrofurantoin."])), k.opt(0.6, k.pick("Validated by ", "Pathologist: ", "Reported by ") + doc(k)))


def layout_soap(k):
    c = case(k)
    return k.lines(k.opt(0.6, ptline(k)), k.opt(0.5, k.date() + " " + k.time()), k.pick("S: ", "Subjective: ", "S/ ") + k.para("c/o %s." % c["cc"], k.pick(c["hx"])), k.pick("O: ", "Objective: ", "O/E ") + " ".join(fs(k, GEN, 1, 2) + k.some(c["ex"], 1, 2)), k.pick("A: ", "Assessment: ", "Dx: ", "Imp: ") + ", ".join(c["dx"]), k.pick("P: ", "Plan: ", "Rx: ") + "; ".join(c["rx"] + c["adv"]), k.opt(0.6, doc(k)))


def layout_op(k):
    op = k.pick(("Laparoscopic cholecystectomy", ["Three ports were placed.", "The cystic duct and artery were clipped and divided.", "The gall bladder was removed in a bag."]), ("Total knee replacement, right", ["Midline incision.", "Cemented components of size 4 were fitted.", "The joint was stable through the full range."]), ("Caesarean section", ["Pfannenstiel incision.", "A live male infant was delivered, 3,240 g, Apgar 9/10.", "The uterus was closed in two layers."]),
                ("Inguinal hernia repair with mesh", ["The sac was reduced.", "A polypropylene mesh was fixed without tension.", "The external fascia was closed."]), ("Cataract surgery, left eye", ["Clear corneal incision.", "Lens emulsified, posterior capsule intact.", "Foldable lens +21.5 D implanted."]), ("Open reduction and plate fixation of the radius", ["Volar approach.", "Fracture reduced under image control.", "Plate with seven screws."]),
                ("Tonsillectomy", ["Both tonsils dissected.", "Bleeding points coagulated."]), ("Coronary angiography with stent", ["Access by the right radial artery.", "90 % stenosis of the LAD.", "One drug-eluting stent placed with good flow."]))
    return k.lines(k.opt(0.6, place(k)), k.opt(0.6, k.pick("OPERATIVE NOTE", "Operation report", "Surgical report", "Theatre record")), ptline(k), "Date: " + k.date(), k.opt(0.7, "Surgeon: " + doc(k)), k.opt(0.5, "Anaesthetist: " + doc(k)), "Procedure: " + op[0], k.opt(0.6, "Anaesthesia: " + k.pick("general", "spinal", "local", "sedation")), k.opt(0.5, "Indication: " + case(k)["cc"]), GAP, " ".join(["The patient was placed supine, skin disinfected and draped." if k.maybe(0.6) else ""] + op[1] + fs(k, ["Blood loss about 150 ml.", "No complications.", "Wound closed in layers, sterile dressing.", "Counts were correct.", "Specimen sent to histology.", "Drain left in place.", "Antibiotic cover was given.", "The patient was taken to recovery in stable condition."], 2, 5)), GAP, k.opt(0.7, "Post-op: " + f(k, ["mobilise on day one", "remove drain after 24 hours", "pain relief as charted", "thrombosis prophylaxis", "discharge tomorrow if well"])))


def layout_certificate(k):
    c = case(k)
    return k.lines(k.opt(0.6, place(k)), k.opt(0.6, k.pick("Medical report", "MEDICAL CERTIFICATE", "To whom it may concern", "Certificate of incapacity for work", "Statement of fitness for work", "Fitness certificate")), GAP, f(k, ["This is to certify that {person} has been under my treatment since {date}", "I certify that I examined {person} on {date}", "{person}, born {date}, was seen in my practice today", "The above named has been my patient for {num} years"]) + k.opt(0.8, " for " + k.pick(c["dx"])) + ".",
                   " ".join(fs(k, ["The patient is unfit for work until {date}.", "Rest for {num} days is advised.", "Light duties only, no lifting.", "The patient is fit to travel by air.", "No contagious disease was found.", "The patient may return to school on {date}.", "Heart, lungs and sight are normal.", "The illness began on {date}.", "In my opinion full recovery can be expected.", "This is issued at the patient's request for the employer.", "For the use of the insurance company."], 1, 4)), GAP, k.opt(0.7, k.date()), doc(k), k.opt(0.5, "Reg. no. " + k.ref("MC", "GMC", "R")))


def layout_patient_letter(k):
    """Plain language letter or portal message to the patient."""
    c = case(k)
    return k.lines(k.opt(0.4, place(k)), k.pick("Dear Mr %s," % k.last(), "Dear Mrs %s," % k.last(), "Dear %s," % k.first(), "Hello %s," % k.first()), GAP, f(k, ["Thank you for coming to see us on {date}.", "Your test results are back.", "Here is a summary of your visit on {date}.", "This is what we found and what we talked about.", "I am writing with the results of your scan."]), "You came because of " + c["cc"] + ". " + k.pick(c["ex"]) + " " + k.pick("This means you have %s.", "We think this is %s.", "In plain words: %s.", "The doctors found %s.") % " and ".join(c["dx"]),
                   k.pick("Please take: ", "We have prescribed ", "Your treatment: ", "Start with ") + ", ".join(c["rx"]) + ".", k.pick("What you can do yourself: ", "Please also: ", "Our advice: ") + ", ".join(c["adv"]) + ".", f(k, ["Please book an appointment in {num} weeks.", "Call {phone} if you feel worse.", "There is no need to worry.", "Bring this letter to your family doctor.", "You do not need any more tests."]), GAP, doc(k))


def layout_nursing(k):
    lines = [k.date() + " " + k.pick("early", "late", "night", "07:30", "14:00", "21:45") + "  " + " ".join(fs(k, ["Slept well.", "Pain 3/10, paracetamol given.", "BP 128/78, P 72, T 36.9.", "Dressing changed, wound clean and dry.", "Ate half of lunch.", "Walked to the bathroom with frame.", "Blood sugar 9.4, insulin given as charted.", "Catheter draining clear urine.", "Family visited.", "Doctor informed of raised temperature.", "Refused breakfast.", "IV line resited left forearm.", "Pressure areas intact.", "Physio seen, ten steps.", "Confused at times, bed rails up.", "Oxygen reduced to 1 l.", "Bowels open.", "Medication taken.", "Bloods sent to laboratory."], 3, 6)) for _ in range(k.num(2, 6))]
    return k.lines(k.opt(0.6, k.pick("NURSING NOTES", "Ward progress notes", "Care record", "Nursing report", "Shift handover")), ptline(k), k.opt(0.6, k.pick(WARD)), k.opt(0.7, "Diagnosis: " + case(k)["dx"][0]), GAP, "\n".join(lines), k.opt(0.6, "RN " + k.last()))


def layout_mail(k):
    c = case(k)
    return k.lines("From: " + k.email(), "To: " + k.email(), "Subject: " + k.pick("patient " + k.last(), "referral", "medical report", "results for " + k.person(), "your patient, seen " + k.date(), "report", "follow-up of Mr " + k.last(), "Discharge today"), GAP, k.pick("Dear Colleague,", "Hi " + k.first() + ",", "Dear Dr " + k.last() + ",", "Hello,"), k.para("a short report on this %s %s with %s." % (age(k), sex(k), c["cc"]), *k.some(c["hx"], 1, 2)), k.para(*k.some(c["ex"], 1, 3)), k.pick("Diagnosis: ", "So we are dealing with ", "I think it is ") + ", ".join(c["dx"]) + ". " + k.pick("Started on ", "Therapy: ", "We gave ") + ", ".join(c["rx"]) + ".", f(k, CLOSE), k.pick("Best", "Regards,", "Thanks"), doc(k))


def layout_short(k):
    c = case(k)
    return k.para(k.opt(0.5, k.pick("Pt ", "Patient ", "") + k.last() + ", " + str(k.num(2, 92)) + k.pick("M", "F", " yrs") + "."), k.pick("Seen for ", "Presented with ", "Came in with ", "Complains of ") + c["cc"] + ".", k.pick(c["ex"]), k.pick("Dx ", "Diagnosis: ", "Impression: ") + c["dx"][0] + ".", k.pick("Rx ", "Prescribed ", "Given ") + c["rx"][0] + ".", k.pick(c["adv"]).capitalize() + ".", k.opt(0.4, doc(k)))


def layout_therapy(k):
    t = k.pick(("Physiotherapy report", ["Initial range of flexion 70 degrees, now 115.", "Gait is steadier, crutches no longer needed.", "Exercises for the core muscles were taught.", "Pain fell from 7 to 3 on the scale.", "Manual therapy and ultrasound were applied.", "Muscle strength of the thigh improved."]), ("Psychological assessment", ["The client was open and cooperative.", "Concentration was below average for age.", "Depression inventory in the moderate range.", "No sign of psychosis.", "Coping strategies were practised.", "Further sessions are recommended."]),
                ("Speech and language therapy report", ["Swallowing of thin fluids is unsafe.", "Word finding has improved.", "Articulation exercises were done daily.", "Vocabulary is one year behind."]), ("Occupational health assessment", ["The employee works as {job} and lifts loads by hand.", "Hearing threshold shifted at 4 kHz.", "Fit for work with restrictions.", "Night work should be avoided for now.", "Lung function normal."]), ("Dental report", ["Caries in 16 and 36, filling placed.", "Periodontal pockets of 5 mm.", "Panoramic X-ray shows impacted wisdom teeth.", "Crown prepared on 24 under local anaesthetic.", "Oral hygiene instructed."]),
                ("Eye examination", ["Visual acuity with glasses 1.0 on both sides.", "Optic disc pink and sharp.", "Early lens opacity in the right eye.", "Pressure 15 and 16 mmHg.", "Macula dry."]), ("Autopsy report", ["Body of an adult male.", "Severe narrowing of the coronary arteries.", "No injuries.", "Lungs congested.", "Cause of death: acute myocardial infarction."]), ("Ambulance report", ["Found lying on the pavement, conscious.", "GCS 14, BP 105/60.", "Splint applied to the left leg.", "Oxygen and line given, taken to hospital.", "Pain relief with fentanyl."]),
                ("Histopathology", ["Macroscopy: skin ellipse 22 x 11 mm.", "Microscopy: nests of basaloid cells.", "Margins free of tumour.", "No lymphatic invasion."]), ("Veterinary clinical report", ["Dog, male, six years, limping on the hind leg.", "Palpation painful, drawer sign positive.", "X-ray shows joint effusion.", "Surgery of the ligament recommended.", "Meloxicam for ten days."]), ("Midwife's record", ["Contractions every five minutes on admission.", "Cervix 6 cm, membranes ruptured.", "Girl born at {time}, 3,410 g, Apgar 9/10/10.", "Placenta complete, blood loss 300 ml.", "Mother and baby well."]))
    fd = [k.fill(x) for x in k.some(t[1], min(3, len(t[1])), min(6, len(t[1])))]
    return k.lines(k.opt(0.5, place(k)), k.opt(0.6, t[0]), ptline(k), k.opt(0.5, "Reason: " + case(k)["cc"]), k.opt(0.5, "Period: %s to %s, %d sessions" % (k.date(), k.date(), k.num(3, 20))), GAP, " ".join(fd) if k.maybe(0.6) else "\n".join("- " + x for x in fd), " ".join(fs(k, COURSE, 0, 2)), k.opt(0.7, k.pick("Recommendation: ", "Summary: ", "Plan: ") + ", ".join(case(k)["adv"])), k.opt(0.7, doc(k)))


def layout_expert(k):
    """Long expert opinion for insurer, court or employer."""
    c = case(k)
    secs = [("Introduction", f(k, ["I was asked by the insurance company to examine the claimant after the accident of {date}.", "The pension office asks for an opinion on the ability to work.", "The court has requested a medical opinion.", "This report is prepared on the basis of an examination on {date} and the records sent to me."])), ("Documents seen", ", ".join(k.some(["hospital discharge summary of " + k.date(), "X-rays and MRI", "letters of the family doctor", "accident report", "the claim form", "payslips showing sick pay", "physiotherapy record", "employment contract with job description"], 2, 5))),
            ("History", k.para("The %s %s reports %s." % (age(k), sex(k), c["cc"]), *c["hx"], *fs(k, PAST, 1, 3))), ("Present complaints", f(k, ["Pain on climbing stairs and after long sitting.", "Poor sleep, needs tablets.", "Cannot lift the arm above the shoulder.", "Walks at most {num} minutes.", "Feels well, no complaints at rest."])), ("Examination", " ".join(fs(k, GEN, 2, 5) + c["ex"])), ("Diagnosis", "\n".join("%d. %s" % (i + 1, d) for i, d in enumerate(c["dx"]))),
            ("Opinion", " ".join(fs(k, ["In my opinion the complaints were caused by the accident.", "The degree of permanent disability is {num} per cent.", "Work as {job} is not possible at present.", "Improvement is expected within {num} months.", "There was a pre-existing condition.", "The treatment so far was appropriate.", "Rehabilitation should be offered.", "The final state has not been reached."], 2, 5))), ("Recommendation", ", ".join(c["rx"] + c["adv"]))]
    keep = sorted(k.r.sample(range(8), k.num(5, 8)))
    num = k.maybe(0.5)
    return k.lines(k.opt(0.5, doc(k) + "\n" + k.address()), k.opt(0.5, k.pick("Medical opinion", "Expert medical report", "Independent medical examination", "Confidential medical report")), ptline(k), GAP, "\n\n".join((("%d. " % (n + 1)) if num else "") + secs[i][0] + "\n" + secs[i][1] for n, i in enumerate(keep)), GAP, k.opt(0.7, k.city() + ", " + k.date()), doc(k))


def layout_form(k):
    c = case(k)
    d = k.pick(" ....... ", ": ", " ____ ", " | ")
    def yn():
        return k.pick("[x] yes [ ] no", "[ ] yes [x] no", "yes", "no", "Y / N: N")
    L = ["Name" + d + k.person(), "Date of birth" + d + k.date(), "Blood group" + d + k.pick("A+", "0+", "B-", "AB+"), "Height / weight" + d + "%d cm / %d kg" % (k.num(150, 195), k.num(45, 120)), "Smoker" + d + yn(), "Allergies" + d + k.pick("none known", "penicillin", "latex", "peanuts", "pollen"), "Current medicines" + d + ", ".join(c["rx"]), "Reason for visit" + d + c["cc"], "Blood pressure" + d + "%d/%d" % (k.num(105, 175), k.num(60, 105)), "Pulse" + d + str(k.num(52, 110)), "Findings" + d + k.pick(c["ex"]), "Diagnosis (ICD)" + d + c["dx"][0] + k.opt(0.5, " " + k.pick("I20.8", "J18.9", "M51.1", "K35.8", "E11.9", "S52.5")), "Referred to" + d + k.pick(WARD), "Next appointment" + d + k.date(), "Diabetes" + d + yn(), "Surgery in the past" + d + yn(), "Examining doctor" + d + doc(k), "Insurance" + d + k.pick("statutory", "private", "self-pay", k.ref("INS"))]
    keep = sorted(k.r.sample(range(len(L)), k.num(8, len(L))))
    return k.lines(k.opt(0.6, k.pick("MEDICAL REPORT FORM", "Patient record sheet", "Outpatient card", "Medical examination form", "Health check", "Emergency department record", "OPD slip")), k.opt(0.5, place(k)), "\n".join(L[i] for i in keep))


def layout_old(k):
    c = case(k)
    return k.lines(k.opt(0.6, k.city() + ", " + k.date()), k.pick("My dear Doctor,", "Dear Sir,", "Honoured colleague,"), GAP, "I beg to report upon %s, aged %d, whom you were so good as to send me on account of %s. " % (k.person(), k.num(12, 80), c["cc"]) + " ".join(c["hx"][:2]) + " Upon examination I found as follows: " + " ".join(k.some(c["ex"], 1, 3)) + " I have no doubt that we are dealing with %s. " % c["dx"][0] + "I ordered %s, together with %s. " % (c["rx"][0], k.pick("complete rest in bed", "a light diet", "a change of air", "warm compresses", c["adv"][0])) + f(k, ["The pulse and temperature are now satisfactory.", "I shall call upon the patient again on {weekday}.", "The outlook is favourable."]).replace("{weekday}", k.weekday()), GAP, k.pick("I am, Sir, yours very truly,", "Believe me, yours sincerely,"), doc(k))


def layout_voice(k):
    """Held out: dictation."""
    c = case(k)
    return "Dictation " + doc(k) + k.opt(0.5, ", " + k.date()) + ". Patient " + k.person() + ", hospital number " + pid(k) + ", comma, " + age(k) + ". Admitted with " + c["cc"] + ", full stop. " + " ".join(c["hx"][:1]) + " New paragraph. " + " ".join(c["ex"][:2]) + " New paragraph. Diagnosis, colon, " + " and ".join(c["dx"]) + ". Treated with " + ", ".join(c["rx"]) + ". Advice on discharge " + ", ".join(c["adv"]) + ". " + f(k, COURSE) + " End of letter, copy to the family doctor."


def layout_numbered(k):
    """Held out: numbered one-liners with shorthand."""
    c = case(k)
    L = ["Patient %s, %s" % (k.person(), pid(k)), "Seen " + k.date() + " by " + doc(k), "Symptoms: " + c["cc"], "Known: " + " ".join(fs(k, PAST, 1, 2)), "Found: " + " ".join(k.some(c["ex"], 1, 2)), "Diagnosis: " + "; ".join(c["dx"]), "Treatment: " + "; ".join(c["rx"]), "Advice: " + "; ".join(c["adv"]), "Review in %d weeks" % k.num(1, 12)]
    return "\n".join("%02d/ %s" % (i + 1, x) for i, x in enumerate(L))


def layout_bundle(k):
    """A long document: the letter with its enclosures."""
    out = [k.pick(layout_discharge, layout_gp_letter, layout_expert)(k)]
    for g in k.some([layout_lab, layout_imaging, layout_op, layout_nursing, layout_therapy, layout_soap], 1, 3):
        out.append(k.pick("", "Page 2", "Enclosure", "Attachment", "Annex " + k.pick("A", "1"), "- - -", "(continued)"))
        out.append(g(k))
    return "\n\n".join(x for x in out if x)


TITLES = ["Medical Report", "MEDICAL REPORT", "Medical report on {person}", "Confidential medical report", "Doctor's report", "Clinical report", "Report: patient {person}"]


def named(layout):
    """One document in five carries a title that names the class."""
    def g(k):
        text = layout(k)
        if k.maybe(0.2):
            text = f(k, TITLES) + k.pick("\n", "\n\n", "\n") + text.lstrip()
        return "\n".join(x.rstrip() for x in text.split("\n")).strip("\n")
    g.__name__ = layout.__name__
    return g


LAYOUTS = [named(x) for x in (layout_discharge, layout_gp_letter, layout_imaging, layout_lab, layout_soap, layout_op, layout_certificate, layout_patient_letter, layout_nursing,
                              layout_mail, layout_short, layout_therapy, layout_expert, layout_form, layout_old, layout_bundle)]
LAYOUTS += [layout_voice, layout_numbered]          # held out
