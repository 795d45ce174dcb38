"""Invented texts of the shape of real ones: nobody's notes, from general knowledge, no source to be cited."""

import json
import random
from collections.abc import Iterator
from pathlib import Path

_PROBLEMS = """
asthma | wheezing at night | prolonged expiration | spirometry | inhaled budesonide
migraine | throbbing headache on one side | aversion to light | a headache diary | sumatriptan
gout | a swollen big toe | redness over the joint | serum uric acid | colchicine
pneumonia | fever with productive cough | crackles at the right base | a chest radiograph | amoxicillin
atrial fibrillation | palpitations | an irregular pulse | an electrocardiogram | apixaban
hypothyroidism | weight gain with fatigue | dry skin | thyroid stimulating hormone | levothyroxine
iron deficiency anaemia | shortness of breath on stairs | pale conjunctivae | serum ferritin | ferrous sulfate
psoriasis | itching plaques on the elbows | silvery scale | a skin biopsy | topical calcipotriol
appendicitis | pain in the right lower abdomen | rebound tenderness | ultrasound of the abdomen | laparoscopic surgery
glaucoma | blurred vision with halos | raised eye pressure | tonometry | latanoprost drops
osteoporosis | loss of height | a bent upper back | bone densitometry | alendronate
urinary tract infection | burning on urination | suprapubic tenderness | urine culture | nitrofurantoin
deep vein thrombosis | a swollen calf | warmth along the vein | compression ultrasound | rivaroxaban
parkinson disease | a tremor at rest | slow movements | a neurological examination | levodopa
coeliac disease | chronic diarrhoea | mouth ulcers | tissue transglutaminase antibodies | a gluten free diet
pancreatitis | pain boring through to the back | vomiting | serum lipase | intravenous fluids
heart failure | swollen ankles | a third heart sound | natriuretic peptide | furosemide
epilepsy | a convulsion without warning | a bitten tongue | electroencephalography | lamotrigine
cataract | glare when driving at dusk | a cloudy lens | slit lamp examination | lens replacement
tonsillitis | a sore throat | exudate on the tonsils | a throat swab | penicillin
kidney stones | colicky flank pain | blood in the urine | computed tomography | tamsulosin
rheumatoid arthritis | stiff hands every morning | swollen knuckles | anti citrullinated antibodies | methotrexate
depression | loss of interest for weeks | poor sleep | a mood questionnaire | sertraline
shingles | a burning band of rash | grouped blisters | a swab of the blister fluid | aciclovir
peptic ulcer | gnawing pain after meals | tenderness above the navel | upper endoscopy | omeprazole
type 2 diabetes | thirst with frequent urination | reduced feeling in the toes | glycated haemoglobin | metformin
bronchiolitis | noisy breathing in an infant | chest recession | pulse oximetry | supplemental oxygen
multiple sclerosis | numbness of one leg | brisk reflexes | magnetic resonance imaging | interferon beta
scabies | itching that is worse in bed | burrows between the fingers | skin scraping | permethrin cream
carpal tunnel syndrome | tingling in the thumb | wasting of the thenar muscles | nerve conduction studies | a wrist splint
hyperthyroidism | weight loss despite hunger | a fine tremor | thyroid antibodies | carbimazole
cholecystitis | pain under the right ribs | a positive murphy sign | liver enzymes | removal of the gallbladder
meningitis | headache with a stiff neck | drowsiness | lumbar puncture | ceftriaxone
endometriosis | painful periods | tenderness of the uterosacral ligaments | laparoscopy | a progestogen
otitis media | earache after a cold | a bulging eardrum | otoscopy | watchful waiting
sleep apnoea | loud snoring | a crowded throat | overnight polysomnography | continuous positive airway pressure
hypertension | no complaint at all | raised pressure in both arms | ambulatory pressure monitoring | amlodipine
malaria | shaking chills after travel | an enlarged spleen | a thick blood film | artemether with lumefantrine
cirrhosis | a swollen abdomen | spider naevi | elastography of the liver | spironolactone
plantar fasciitis | heel pain on the first steps | tenderness of the heel | a clinical examination | calf stretching
tuberculosis | night sweats with weight loss | upper lobe crackles | sputum culture | rifampicin with isoniazid
pulmonary embolism | sudden breathlessness | a fast heart rate | computed angiography | heparin
eczema | itching in the elbow creases | cracked skin | patch testing | emollients
vertigo | spinning when turning in bed | beating eye movements | the dix hallpike manoeuvre | repositioning exercises
lupus | joint pain with a facial rash | mouth sores | antinuclear antibodies | hydroxychloroquine
prostate enlargement | a weak stream | a smooth enlarged prostate | a flow measurement | finasteride
dementia | forgetting recent talks | trouble drawing a clock | a memory test | donepezil
sciatica | pain shooting below the knee | a positive straight leg raise | imaging of the spine | physiotherapy
"""
_EVERYDAY = """
how long to boil an egg | Six minutes give a soft yolk and ten minutes a firm one.
when do swallows fly south | Swallows leave in early autumn, once insects grow scarce.
why is the sea salty | Rivers carry minerals from rocks and the water evaporates without them.
what keeps a bicycle upright | Steering into a fall moves the wheels back below the rider.
how to sharpen a kitchen knife | Draw the blade over a wet stone at a shallow, steady angle.
who invented movable type in europe | Gutenberg cast single letters in metal for his press.
why do leaves turn red | The green dye breaks down and other colours come to the fore.
how do locks lift boats | Water let into a chamber raises whatever floats in it.
what makes bread rise | Yeast eats sugar and gives off gas that the dough holds.
how is glass made | Sand, soda and lime are melted together and cooled slowly.
why do cats purr while resting | Muscles of the larynx twitch as the animal breathes.
what causes thunder | Lightning heats the air so fast that it bursts outwards.
how to stop a tap from dripping | Turn off the supply and replace the worn washer.
where does coffee grow | The shrub needs mild, moist hills near the equator.
why are bridges built with arches | An arch turns weight into pressure that stone can bear.
how do bees find flowers | They see ultraviolet patterns and tell each other by dancing.
what is a leap year for | An extra day keeps the calendar in step with the seasons.
how does a compass work | Its needle swings until it lies along the planet's field.
why does iron rust | Oxygen and water eat the metal and leave a brown crust.
how to prune a rose | Cut dead shoots away and shorten the rest above an outward bud.
"""
_WHO = (
    *("a retired teacher", "a young farmer", "an office clerk", "a schoolchild", "a pregnant woman", "an elderly widower"),
    *("a long distance runner", "a night nurse", "a bricklayer", "a university student", "a bus driver", "a violinist"),
)
_SINCE = ("two days", "a week", "three weeks", "a month", "half a year", "a winter", "several summers", "a decade")
_NEXT = (
    *("a telephone call on Friday", "a visit in six weeks", "a letter to the family doctor", "blood tests next month"),
    *("a review before winter", "an appointment with the specialist", "a visit by the district nurse", "a leaflet"),
)
_ASKED = (
    "What helps {who} with {problem}?",
    "How is {problem} found in {who}?",
    "Which treatment suits {problem}, seen in {who}?",
)
_TOLD = (
    "{Who} came with {symptom}, present for {since}. Examination showed {sign}, which fits {problem}. To be sure we asked "
    "for {test}. Treatment began with {treatment} at once. Next comes {next}.",
    "In {who}, {problem} showed itself by {symptom} over {since}. The doctor noted {sign} and ordered {test}. Given the "
    "result, {treatment} was chosen and explained. The plan also holds {next}.",
    "{Problem} was suspected after {since} of {symptom}. Besides {sign} nothing else was found in {who}. {Test} settled the "
    "question that evening. We advised {treatment}, and arranged {next}.",
)


def write_texts(path: Path, salt: str) -> None:
    """Write three documents on each of four dozen problems as JSONL: ``id``, ``title``, ``text``, ``group``.

    Documents of one problem are of one group. Another salt draws other patients, so that two sources are not one text.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for row in _rows(salt))


def _rows(salt: str) -> Iterator[dict[str, str]]:
    draw = random.Random(salt)
    for number, line in enumerate(_PROBLEMS.strip().splitlines()):
        problem, symptom, sign, test, treatment = (part.strip() for part in line.split("|"))
        for form, (asked, told) in enumerate(zip(_ASKED, _TOLD, strict=True)):
            who = draw.choice(_WHO)
            facts = {"problem": problem, "symptom": symptom, "sign": sign, "test": test, "treatment": treatment, "who": who}
            facts |= {"since": draw.choice(_SINCE), "next": draw.choice(_NEXT)}
            facts |= {key.capitalize(): value[0].upper() + value[1:] for key, value in facts.items()}
            yield {
                "id": f"{number}-{form}",
                "title": asked.format(**facts),
                "text": told.format(**facts),
                "group": problem,
            }


def write_everyday(folder: Path) -> None:
    """Write a small retrieval task that is not about medicine, in BEIR's layout."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = [[part.strip() for part in line.split("|")] for line in _EVERYDAY.strip().splitlines()]
    for name, column in (("queries", 0), ("corpus", 1)):
        lines = [json.dumps({"_id": str(number), "text": row[column]}) for number, row in enumerate(rows)]
        (folder / f"{name}.jsonl").write_text("\n".join(lines) + "\n", "utf-8")
    judged = [f"{number}\t{number}\t1" for number in range(len(rows))]
    (folder / "qrels.tsv").write_text("\n".join(["query-id\tcorpus-id\tscore", *judged]) + "\n", "utf-8")
