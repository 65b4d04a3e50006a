import type { Cadence, MissionInput } from '../core/types';
import type { Locale } from '../i18n';

/** A text by language; English stands in where a language has none. */
type Text = { en: string } & Record<Locale, string>;

/** A mission to begin with; the person's words from then on. */
export interface MissionTemplate {
	id: string;
	title: Text;
	/** One sentence: what it will do for a person. */
	summary: Text;
	objective: Text;
	/** Its points are written so that they also stand as tasks, where no model is there to think about them. */
	conceptMarkdown: Text;
	inputs: MissionInput[];
	cadence: Cadence;
}

export const templates: MissionTemplate[] = [
	{
		id: 'weekly-plan',
		title: { en: 'Weekly plan', de: 'Wochenplan' },
		summary: {
			en: 'Weighs due tasks against free hours and suggests what should move.',
			de: 'Wägt fällige Aufgaben gegen freie Stunden ab und schlägt vor, was wandern sollte.'
		},
		objective: {
			en: 'A week that fits into its hours, with the goals that matter in it.',
			de: 'Eine Woche, die in ihre Stunden passt und in der die wichtigen Ziele vorkommen.'
		},
		conceptMarkdown: {
			en: 'Look at my goals, the open tasks and the calendar. Suggest little, and only what this week has room for.\n\n- Choose the three tasks that matter most this week\n- Find a new date for what is overdue\n- Keep one evening free\n\nNever put anything before nine in the morning.',
			de: 'Sieh dir meine Ziele, die offenen Aufgaben und den Kalender an. Schlag wenig vor, und nur, wofür diese Woche Platz hat.\n\n- Die drei wichtigsten Aufgaben der Woche wählen\n- Für Überfälliges einen neuen Termin finden\n- Einen Abend freihalten\n\nNichts vor neun Uhr morgens.'
		},
		inputs: [
			{ module: 'goals', table: 'goals' },
			{ module: 'todo', table: 'tasks' },
			{ module: 'calendar', table: 'events' }
		],
		cadence: { kind: 'weekly', dayOfWeek: 1, atHour: 7, atMinute: 0 }
	},
	{
		id: 'meeting-follow-ups',
		title: { en: 'Meeting follow-ups', de: 'Nach dem Gespräch' },
		summary: {
			en: 'Turns promises in your notes into tasks with a name and a date.',
			de: 'Macht aus Zusagen in deinen Notizen Aufgaben mit Namen und Datum.'
		},
		objective: {
			en: 'No promise made in a conversation is forgotten.',
			de: 'Keine Zusage aus einem Gespräch geht verloren.'
		},
		conceptMarkdown: {
			en: 'Read the notes of the last days. Where I promised something, or somebody promised me something, and there is no task for it yet, suggest one. Name the person in the title.\n\n- Go through today’s notes for promises\n- Ask about what others owe me for more than a week',
			de: 'Lies die Notizen der letzten Tage. Wo ich etwas zugesagt habe oder mir jemand, und es noch keine Aufgabe dafür gibt, schlag eine vor. Nenn die Person im Titel.\n\n- Die heutigen Notizen auf Zusagen durchsehen\n- Nachfragen, was mir andere seit über einer Woche schulden'
		},
		inputs: [
			{ module: 'notes', table: 'notes' },
			{ module: 'todo', table: 'tasks' }
		],
		cadence: { kind: 'daily', atHour: 18, atMinute: 0 }
	},
	{
		id: 'trip-preparation',
		title: { en: 'Trip preparation', de: 'Reisevorbereitung' },
		summary: {
			en: 'Builds a packing and booking list backwards from the departure.',
			de: 'Baut eine Pack- und Buchungsliste rückwärts von der Abreise.'
		},
		objective: {
			en: 'Everything is booked and packed the evening before.',
			de: 'Am Abend vorher ist alles gebucht und gepackt.'
		},
		conceptMarkdown: {
			en: 'Find the next trip in the calendar and the places that belong to it. Count back from the departure and suggest what is due now, each with its date.\n\n- Check passports and tickets\n- Book a place to stay\n- Write the packing list\n- Arrange who waters the plants',
			de: 'Such die nächste Reise im Kalender und die Orte, die dazugehören. Rechne von der Abreise zurück und schlag vor, was jetzt dran ist, jeweils mit Datum.\n\n- Ausweise und Fahrkarten prüfen\n- Unterkunft buchen\n- Packliste schreiben\n- Klären, wer die Pflanzen gießt'
		},
		inputs: [
			{ module: 'calendar', table: 'events' },
			{ module: 'places', table: 'places' },
			{ module: 'todo', table: 'tasks' }
		],
		cadence: { kind: 'daily', atHour: 8, atMinute: 0 }
	},
	{
		id: 'bills-and-renewals',
		title: { en: 'Bills and renewals', de: 'Rechnungen und Verträge' },
		summary: {
			en: 'Finds contracts that end soon, while you can still cancel.',
			de: 'Findet Verträge, die bald enden, solange du noch kündigen kannst.'
		},
		objective: {
			en: 'No contract renews itself because I forgot the date.',
			de: 'Kein Vertrag verlängert sich, weil ich das Datum vergessen habe.'
		},
		conceptMarkdown: {
			en: 'My notes hold bills and contracts. Suggest a task two weeks before a notice period ends and three days before a bill is due.\n\n- Look through the notes for dates of contracts\n- Note down the notice period of each subscription',
			de: 'In meinen Notizen stehen Rechnungen und Verträge. Schlag zwei Wochen vor Ende einer Kündigungsfrist und drei Tage vor Fälligkeit einer Rechnung eine Aufgabe vor.\n\n- Die Notizen nach Vertragsdaten durchsehen\n- Zu jedem Abo die Kündigungsfrist notieren'
		},
		inputs: [
			{ module: 'notes', table: 'notes' },
			{ module: 'todo', table: 'tasks' }
		],
		cadence: { kind: 'weekly', dayOfWeek: 1, atHour: 8, atMinute: 0 }
	},
	{
		id: 'goal-check-in',
		title: { en: 'Goal check-in', de: 'Blick auf die Ziele' },
		summary: {
			en: 'Asks one question about each goal that has not moved for two weeks.',
			de: 'Stellt zu jedem Ziel, das seit zwei Wochen stillsteht, eine Frage.'
		},
		objective: {
			en: 'Each goal moves, or is let go on purpose.',
			de: 'Jedes Ziel bewegt sich, oder es wird bewusst losgelassen.'
		},
		conceptMarkdown: {
			en: 'Go through my goals. Where nothing happened for two weeks, suggest the smallest next step that takes under half an hour. If a goal was quiet for two months, suggest to pause it.\n\n- Write down the next step for the most important goal',
			de: 'Geh meine Ziele durch. Wo zwei Wochen nichts geschehen ist, schlag den kleinsten nächsten Schritt vor, der unter einer halben Stunde dauert. Ruht ein Ziel seit zwei Monaten, schlag vor, es zu pausieren.\n\n- Den nächsten Schritt zum wichtigsten Ziel aufschreiben'
		},
		inputs: [
			{ module: 'goals', table: 'goals' },
			{ module: 'todo', table: 'tasks' }
		],
		cadence: { kind: 'weekly', dayOfWeek: 0, atHour: 17, atMinute: 0 }
	},
	{
		id: 'note-digest',
		title: { en: 'Notes of the week', de: 'Notizen der Woche' },
		summary: {
			en: 'Sums up what you wrote this week in one note, and names what is still open.',
			de: 'Fasst in einer Notiz zusammen, was du diese Woche geschrieben hast, und nennt, was offen ist.'
		},
		objective: {
			en: 'On Friday I know what the week was about.',
			de: 'Am Freitag weiß ich, worum es in der Woche ging.'
		},
		conceptMarkdown: {
			en: 'Read the notes changed this week. Propose one new note that sums them up in ten lines at most, the title of each source in brackets, open questions at the end.\n\n- Sum up this week’s notes in ten lines',
			de: 'Lies die Notizen, die sich diese Woche geändert haben. Schlag eine neue Notiz vor, die sie in höchstens zehn Zeilen zusammenfasst, den Titel jeder Quelle in Klammern, offene Fragen am Schluss.\n\n- Die Notizen der Woche in zehn Zeilen zusammenfassen'
		},
		inputs: [{ module: 'notes', table: 'notes' }],
		cadence: { kind: 'weekly', dayOfWeek: 5, atHour: 16, atMinute: 0 }
	}
];
